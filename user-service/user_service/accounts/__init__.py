"""Accounts: opened, shown, changed, imported and deleted."""
