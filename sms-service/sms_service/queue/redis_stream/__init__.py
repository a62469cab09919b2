"""The queue on a Redis stream."""
