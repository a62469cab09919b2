"""From a claimed job to a provider's answer: whom to ask, whether now, and what the answer teaches."""
