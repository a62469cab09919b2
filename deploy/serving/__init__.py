"""How gunicorn serves every HTTP service: its worker class, and the batches of its log lines."""
