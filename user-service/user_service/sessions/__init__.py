"""Sessions: signing in, listing, ending, proving again."""
