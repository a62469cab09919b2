"""The only public entry point of Xinjing: a proxy, and a small Flask app behind it."""
