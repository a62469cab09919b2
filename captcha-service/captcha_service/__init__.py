"""Draws captchas, keeps their answers, checks them once."""
