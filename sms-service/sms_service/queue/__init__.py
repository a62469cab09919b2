"""The queue of send jobs: one interface, two adapters."""
