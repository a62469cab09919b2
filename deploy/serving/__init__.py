"""How gunicorn serves every HTTP service: its worker class."""
