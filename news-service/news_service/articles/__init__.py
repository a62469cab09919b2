"""Articles that are published: lists, one article, ranking, counted views."""
