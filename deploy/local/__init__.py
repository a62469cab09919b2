"""The one-command run: every part on embedded defaults under one terminal."""
