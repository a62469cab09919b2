"""Search in articles that the public may read: terms, the index, the query, highlights."""
