"""Who texts: one interface, one module per provider."""
