"""The public door of Xinjing: two planes, the forwarding edge and a small Flask app behind it."""
