"""The classic contract: the addresses, fields and answers of the course's frontends, translated to our API."""
