"""The web pages, their templates and static files."""
