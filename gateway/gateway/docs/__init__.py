"""The pages of the gateway itself: the merged API document, Swagger UI, the SMS inbox."""
