"""The news site and its data: categories, articles, pages, the import of classic dumps."""
