"""The worker: it takes jobs off the queue and hands their texts to the providers."""
