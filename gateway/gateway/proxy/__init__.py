"""The path that every request takes: read it, decide by its rule, forward it, answer."""
