"""The audit log: writing, reading and purging."""
