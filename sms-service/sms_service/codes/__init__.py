"""The state of every code and its send job, in Redis: six scripts and the keys they share."""
