"""The import of the course's SQL dumps: files → tokens → rows → values → tables."""
