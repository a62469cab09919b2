"""The other services that user-service calls."""
