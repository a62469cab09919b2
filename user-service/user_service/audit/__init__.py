"""The audit log: what was written and how it is read."""
