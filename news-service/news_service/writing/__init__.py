"""What makes a text safe to publish."""
