"""Issues SMS codes, checks them once, and has a worker text them."""
