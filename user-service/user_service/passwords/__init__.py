"""Passwords: hashed, judged, changed and reset."""
