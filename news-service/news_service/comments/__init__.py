"""Comments on articles, answers to them, and likes."""
