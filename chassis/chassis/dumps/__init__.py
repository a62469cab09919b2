"""Reads SQL dumps without a database: files → tokens → rows → values, a report, and the command around them."""
