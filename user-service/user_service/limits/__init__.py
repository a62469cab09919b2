"""Limits of attempts: what must be passed before a password or a code is checked."""
