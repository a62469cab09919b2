"""Limits of attempts, and the lockout of accounts."""
