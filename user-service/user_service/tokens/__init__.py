"""Access and refresh tokens, their keys and their revocation."""
