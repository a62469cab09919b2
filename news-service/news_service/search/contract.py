"""The shapes of the search."""

from typing import Annotated, Any  # Any: JSON objects.

from pydantic import BaseModel, Field

from news_service.articles.articles import Article
from news_service.articles.contract import ArticleItem, article_item
from news_service.clients.user_service import UserName
from news_service.cursors import KeysetPage
from news_service.search.highlights import Part, highlight
from news_service.search.terms import Query


class SearchQuery(BaseModel):
    """What to search for, and from where on."""

    q: Annotated[str, Field(min_length=1, max_length=64)]
    cursor: Annotated[str, Field(max_length=200)] | None = None
    limit: int = Field(default=10, ge=1, le=50)


class TextPart(BaseModel):
    """A part of a plain text, and whether it is one of the words that were searched for."""

    text: str
    is_match: bool


class SearchHit(ArticleItem):
    """An article that has all the words; an excerpt is the digest, or the piece of the text that has a word."""

    title_parts: list[TextPart]
    excerpt_parts: list[TextPart]


class SearchResult(BaseModel):
    """A page of hits, the newest first; the last one has no next cursor."""

    items: list[SearchHit]
    next_cursor: str | None


def search_result(page: KeysetPage[Article], query: Query, names: dict[int, UserName]) -> dict[str, Any]:
    """Build the answer of a search."""
    return {"items": [_hit(article, query, names) for article in page.items], "next_cursor": page.next_cursor}


def _hit(article: Article, query: Query, names: dict[int, UserName]) -> dict[str, Any]:
    shown = highlight(article, query)
    parts = {"title_parts": _parts(shown.title), "excerpt_parts": _parts(shown.excerpt)}
    return article_item(article, names) | parts


def _parts(parts: list[Part]) -> list[dict[str, Any]]:
    return [{"text": part.text, "is_match": part.is_match} for part in parts]
