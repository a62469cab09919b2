"""Which requests are forwarded, to whom, and how often."""
