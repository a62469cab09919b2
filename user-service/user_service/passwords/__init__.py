"""Passwords: they are hashed, checked against the policy, changed and reset."""
