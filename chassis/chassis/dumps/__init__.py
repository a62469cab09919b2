"""Reads SQL dumps of MySQL without MySQL: files → tokens → rows → values, a report, and the command around them."""
