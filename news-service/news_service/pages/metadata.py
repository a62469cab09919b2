"""What pages tell programs about themselves: schema.org's NewsArticle, as JSON-LD."""

from typing import Any  # JSON objects.

from news_service.articles.articles import Article
from news_service.clients.user_service import UserName
from news_service.site import Site

_HEADLINE_CHARACTERS = 110  # What search engines show of one.


def news_article(
    article: Article, site: Site, *, author: UserName | None, category: str | None, picture: str | None
) -> dict[str, Any]:
    """Describe an article; its author is the source while the name is not known. ``picture`` is a whole address."""
    address = f"{site.url}/news/{article.id}"
    person = {"@type": "Person", "name": author.nick_name} if author else None
    described = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "mainEntityOfPage": address,
        "url": address,
        "headline": article.title[:_HEADLINE_CHARACTERS],
        "description": article.digest,
        "datePublished": article.published_at.isoformat(),
        "dateModified": article.updated_at.isoformat(),
        "inLanguage": "zh-CN",
        "author": person or {"@type": "Organization", "name": article.source or site.name},
        "publisher": {"@type": "Organization", "name": site.name, "url": site.url},
        "commentCount": article.comment_count,
    }
    if category is not None:
        described["articleSection"] = category
    if picture is not None:
        described["image"] = [picture]
    return described
