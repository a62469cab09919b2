"""The HTTP edge of sms-service."""
