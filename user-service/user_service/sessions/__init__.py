"""Sessions: they begin with signing in, and are listed, replaced and ended."""
