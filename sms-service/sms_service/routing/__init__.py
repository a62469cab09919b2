"""Which provider gets a text, and when a provider is not asked."""
