"""The micro-cache: answers of services that everybody may get, kept for seconds (RFC 9111, as a shared cache)."""
