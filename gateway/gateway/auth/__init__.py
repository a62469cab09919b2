"""Who sends a request: tokens, cookies, revocations, keys."""
