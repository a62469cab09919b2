"""The SMS providers: one interface, and one module per vendor."""
