"""Accounts: they are opened, shown, changed, imported and deleted."""
