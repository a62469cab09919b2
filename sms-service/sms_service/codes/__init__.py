"""The state of every code and its send job, in Redis: seven scripts and the keys they share."""
