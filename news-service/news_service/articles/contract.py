"""The shapes of requests and answers of the API, each answer built in one place."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal  # Any: JSON objects.

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from chassis.texts import free_text
from news_service.articles.articles import Article, ReaderState
from news_service.articles.categories import Category, Removal
from news_service.clients.user_service import UserName
from news_service.cursors import KeysetPage
from news_service.tables import HIGHEST_ID

Id = Annotated[int, Field(ge=1, le=HIGHEST_ID)]


def _shown(name: str) -> str:
    if re.search(r"[\x00-\x1f\x7f-\x9f]", name):
        raise ValueError("control characters are not allowed")
    if not (shown := free_text(name).strip()):
        raise ValueError("nothing of it can be seen")
    return shown


CategoryName = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_shown)]
Slug = Annotated[str, Field(max_length=64, pattern="^[a-z][a-z0-9]*(-[a-z0-9]+)*$")]
PositionNumber = Annotated[int, Field(strict=True, ge=0, le=10_000)]
Cursor = Annotated[str, Field(max_length=200)]


class PageQuery(BaseModel):
    """From where on, and how many."""

    cursor: Cursor | None = None
    limit: int = Field(default=20, ge=1, le=50)


class ListQuery(BaseModel):
    """Which articles, in which order, from where on."""

    category: Id | None = None
    order: Literal["newest", "hot"] = "newest"
    author: Id | None = None
    cursor: Cursor | None = None
    limit: int = Field(default=10, ge=1, le=50)


class ArticlePath(BaseModel):
    """Which article."""

    id: int


class CategoryItem(BaseModel):
    """A category; ``position`` orders the list."""

    id: int
    name: str
    slug: str | None
    position: int


class CategoryPath(BaseModel):
    """Which category."""

    id: int


class CategoryBody(BaseModel):
    """A new category."""

    model_config = ConfigDict(extra="forbid")
    name: CategoryName
    slug: Slug | None = None
    position: PositionNumber = 0


class CategoryChange(BaseModel):
    """What changes of a category; members that are left out stay as they are."""

    model_config = ConfigDict(extra="forbid")
    name: CategoryName = Field(default_factory=str)
    slug: Slug | None = None
    position: PositionNumber = 0


class RemovalQuery(BaseModel):
    """Where the articles of a removed category go; without it, it must be empty."""

    move_to: Id | None = None


class CategoryRemoval(BaseModel):
    """How many articles moved; if the removal is not complete, the same call goes on."""

    moved: int
    is_complete: bool


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
    return {"items": [category_item(category) for category in categories]}


def category_item(category: Category) -> dict[str, Any]:
    """Build the answer of one category."""
    return {
        "id": category.id,
        "name": category.name,
        "slug": category.slug,
        "position": category.position,
    }


def category_removal(removal: Removal) -> dict[str, Any]:
    """Build the answer of the removal of a category."""
    return {"moved": removal.moved, "is_complete": removal.is_complete}


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
        "author": author_of(article.author_id, names),
        "clicks": article.clicks,
        "comment_count": article.comment_count,
        "published_at": rfc3339(article.published_at),
    }


def author_of(user_id: int | None, names: dict[int, UserName]) -> dict[str, Any] | None:
    """Build the author in an answer; None if there is none."""
    if user_id is None:
        return None
    name = names.get(user_id)
    return {
        "id": user_id,
        "nick_name": name.nick_name if name else None,
        "avatar_url": name.avatar_url if name else None,
    }


def rfc3339(moment: datetime | None) -> str | None:
    """Write a moment as RFC 3339 in UTC, as exactly as it is stored: ``2026-01-31T08:00:00Z``."""
    return moment.isoformat().replace("+00:00", "Z") if moment else None
