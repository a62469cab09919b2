"""The shapes of requests and answers of the API, each answer built in one place."""

from datetime import datetime
from typing import Annotated, Any, Literal  # Any: JSON objects.

from pydantic import BaseModel, Field

from news_service.articles.articles import HIGHEST_ID, Article, Category, ReaderState
from news_service.clients.user_service import UserName
from news_service.cursors import KeysetPage

Id = Annotated[int, Field(ge=1, le=HIGHEST_ID)]


class ListQuery(BaseModel):
    """Which articles, in which order, from where on."""

    category: Id | None = None
    order: Literal["newest", "hot"] = "newest"
    author: Id | None = None
    cursor: Annotated[str, Field(max_length=200)] | None = None
    limit: int = Field(default=10, ge=1, le=50)


class ArticlePath(BaseModel):
    """Which article."""

    id: int


class CategoryItem(BaseModel):
    """A category."""

    id: int
    name: str


class CategoryList(BaseModel):
    """All categories, in order."""

    items: list[CategoryItem]


class Author(BaseModel):
    """Who wrote an article; the name is null while it is unknown."""

    id: int
    nick_name: str | None
    avatar_url: str | None


class ArticleItem(BaseModel):
    """An article in a list; its texts are plain."""

    id: int
    title: str
    source: str
    digest: str
    index_image_url: str | None
    category_id: int | None
    author: Author | None
    clicks: int
    comment_count: int
    published_at: datetime


class ArticleList(BaseModel):
    """A page of articles; the last one has no next cursor."""

    items: list[ArticleItem]
    next_cursor: str | None


class ArticleDetail(ArticleItem):
    """One article with its content, which is safe HTML, and what the signed-in reader has to do with it."""

    content: str
    is_favourite: bool
    is_following_author: bool


def category_list(categories: list[Category]) -> dict[str, Any]:
    """Build the answer of the categories."""
    return {"items": [{"id": category.id, "name": category.name} for category in categories]}


def article_list(page: KeysetPage[Article], names: dict[int, UserName]) -> dict[str, Any]:
    """Build the answer of a page of articles."""
    return {"items": [article_item(article, names) for article in page.items], "next_cursor": page.next_cursor}


def article_detail(article: Article, names: dict[int, UserName], reader: ReaderState) -> dict[str, Any]:
    """Build the answer of one article."""
    return article_item(article, names) | {
        "content": article.content,
        "is_favourite": reader.is_favourite,
        "is_following_author": reader.is_following_author,
    }


def article_item(article: Article, names: dict[int, UserName]) -> dict[str, Any]:
    """Build an article in a list."""
    return {
        "id": article.id,
        "title": article.title,
        "source": article.source,
        "digest": article.digest,
        "index_image_url": article.index_image_url,
        "category_id": article.category_id,
        "author": _author(article.author_id, names),
        "clicks": article.clicks,
        "comment_count": article.comment_count,
        "published_at": article.published_at.isoformat().replace("+00:00", "Z"),
    }


def _author(user_id: int | None, names: dict[int, UserName]) -> dict[str, Any] | None:
    if user_id is None:
        return None
    name = names.get(user_id)
    return {
        "id": user_id,
        "nick_name": name.nick_name if name else None,
        "avatar_url": name.avatar_url if name else None,
    }
