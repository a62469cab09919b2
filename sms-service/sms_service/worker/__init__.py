"""The worker: takes jobs from the queue and has them texted."""
