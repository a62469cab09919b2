"""The review of articles and comments, and the record of every decision."""
