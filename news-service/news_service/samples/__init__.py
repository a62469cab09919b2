"""The project's own sample articles."""
