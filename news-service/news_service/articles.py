"""The articles that the public may read: lists, ranking, one article."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any  # Rows of differing columns.

from sqlalchemy import Row, select

from chassis.database import Database, utc_now
from chassis.errors import NotFound
from news_service.cursors import ListName, read_cursor, write_cursor
from news_service.listings import LIST_COLUMNS, page_query, place_of, public
from news_service.tables import NEWEST_CATEGORY_ID, InfoCategory, InfoNews

HIGHEST_ID = 2**31 - 1


@dataclass(frozen=True)
class Category:
    """A category; id 1 (最新) means all articles."""

    id: int
    name: str


@dataclass(frozen=True)
class Article:
    """A public article. ``content`` is safe HTML, and empty in lists; the other texts are plain."""

    id: int
    title: str
    source: str
    digest: str
    content: str
    index_image_url: str | None
    category_id: int | None
    author_id: int | None
    clicks: int
    comment_count: int
    published_at: datetime
    version: int = 1


@dataclass(frozen=True)
class ArticlePage:
    """One page of a list; ``next_cursor`` is None on the last one."""

    items: list[Article]
    next_cursor: str | None


class Articles:
    """Reads articles; nothing here writes. Drafts, reviews, rejections and the future do not exist for it."""

    def __init__(self, database: Database, *, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._now = now

    def categories(self) -> list[Category]:
        """Return all categories, 最新 first."""
        with self._database.read() as session:
            rows = session.execute(select(InfoCategory.id, InfoCategory.name).order_by(InfoCategory.id))
            return [Category(row.id, row.name) for row in rows]

    def list_newest(
        self, *, category_id: int | None, cursor: str | None, limit: int, author_id: int | None = None
    ) -> ArticlePage:
        """Return a page of articles, newest first; category 1 (最新) is no filter.

        Raises:
            RequestInvalid: the cursor is broken or belongs to another list.
        """
        return self._page(ListName("newest", _without_newest(category_id), author_id), cursor, limit)

    def list_hot(
        self, *, category_id: int | None, cursor: str | None, limit: int, author_id: int | None = None
    ) -> ArticlePage:
        """Return a page of articles, those with the most attention for their age first; else as `list_newest`."""
        return self._page(ListName("hot", _without_newest(category_id), author_id), cursor, limit)

    def ranking(self, limit: int) -> list[Article]:
        """Return the articles at the top of the hot list."""
        return self.list_hot(category_id=None, cursor=None, limit=limit).items

    def get(self, article_id: int) -> Article:
        """Return one public article with its content.

        Raises:
            NotFound: there is none, or the public may not read it (yet).
        """
        query = public(select(*LIST_COLUMNS, InfoNews.content), self._now()).where(InfoNews.id == article_id)
        with self._database.read() as session:
            row = session.execute(query).one_or_none() if 0 < article_id <= HIGHEST_ID else None
        if row is None:
            raise NotFound
        return _article(row, row.content)

    def _page(self, name: ListName, cursor: str | None, limit: int) -> ArticlePage:
        place = None if cursor is None else read_cursor(cursor, name)
        with self._database.read() as session:
            # The one row more says whether there is a next page.
            rows = session.execute(page_query(name, place, now=self._now()).limit(limit + 1)).all()
        more = write_cursor(name, place_of(name, rows[limit - 1])) if len(rows) > limit else None
        return ArticlePage([_article(row, "") for row in rows[:limit]], more)


def _without_newest(category_id: int | None) -> int | None:
    return None if category_id == NEWEST_CATEGORY_ID else category_id


def _article(row: Row[*tuple[Any, ...]], content: str) -> Article:
    return Article(
        id=row.id,
        title=row.title,
        source=row.source,
        digest=row.digest,
        content=content,
        index_image_url=row.index_image_url,
        category_id=row.category_id,
        author_id=row.user_id,
        clicks=row.clicks,
        comment_count=row.comment_count,
        published_at=row.published_at,
        version=row.version,
    )
