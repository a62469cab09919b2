"""Which vendor gets a text, and when one is left alone."""
