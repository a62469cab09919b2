"""How programs find articles: Atom feeds, the sitemap, robots.txt."""
