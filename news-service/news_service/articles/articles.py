"""The articles that the public may read: lists, ranking, one article."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any  # Rows of differing columns.

from sqlalchemy import Row

from chassis.database import Database, utc_now
from chassis.errors import NotFound
from news_service.articles.categories import ALL_CATEGORIES, Category, category_of
from news_service.articles.listings import (
    ARTICLES_BY_IDS,
    PUBLIC_ARTICLE,
    ListName,
    page_parameters,
    page_query,
    position_of,
)
from news_service.articles.tables import APPROVED, NEWEST_CATEGORY_ID
from news_service.cursors import KeysetPage, cut_page, read_cursor
from news_service.readers.tables import InfoUserCollection, InfoUserFans
from news_service.tables import HIGHEST_ID


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
    updated_at: datetime
    version: int = 1


@dataclass(frozen=True)
class ReaderState:
    """Whether an article is among the reader's favourites, and whether the reader follows its author."""

    is_favourite: bool = False
    is_following_author: bool = False


@dataclass(frozen=True)
class Articles:
    """Reads articles that are approved and published; nothing here writes."""

    database: Database
    clock: Callable[[], datetime] = utc_now

    def categories(self) -> list[Category]:
        """Return all categories by their positions; ids break ties."""
        return [category_of(row) for row in self.database.read_rows(ALL_CATEGORIES)]

    def list_newest(
        self, *, category_id: int | None, cursor: str | None, limit: int, author_id: int | None = None
    ) -> KeysetPage[Article]:
        """Return a page of articles, newest first; category 1 (最新) is no filter.

        Raises:
            RequestInvalid: the cursor is broken or belongs to another list.
        """
        return self._page(ListName("newest", _without_newest(category_id), author_id), cursor, limit)

    def list_hot(
        self, *, category_id: int | None, cursor: str | None, limit: int, author_id: int | None = None
    ) -> KeysetPage[Article]:
        """Return a page of articles, those with the most engagement for their age first; else as `list_newest`."""
        return self._page(ListName("hot", _without_newest(category_id), author_id), cursor, limit)

    def hottest(self, limit: int) -> list[Article]:
        """Return the articles at the top of the hot list."""
        return self.list_hot(category_id=None, cursor=None, limit=limit).items

    def newest_with_content(self, *, category_id: int | None, author_id: int | None, limit: int) -> list[Article]:
        """Return the newest articles of a list with their content."""
        listed = self.list_newest(category_id=category_id, author_id=author_id, cursor=None, limit=limit).items
        return self.articles_by_ids([article.id for article in listed])

    def article_by_id(self, article_id: int) -> Article:
        """Return one public article with its content.

        Raises:
            NotFound: there is none, or the public may not read it (yet).
        """
        if not 0 < article_id <= HIGHEST_ID:
            raise NotFound
        rows = self.database.read_rows(PUBLIC_ARTICLE, {"now": self.clock(), "article_id": article_id})
        if not rows:
            raise NotFound
        return article_of(rows[0], rows[0].content)

    def articles_by_ids(self, ids: Sequence[int]) -> list[Article]:
        """Return those of these articles that are public, with their contents, in the order of the ids given."""
        if not ids:
            return []
        now = self.clock()
        rows = self.database.read_rows(ARTICLES_BY_IDS, {"article_ids": list(ids)})
        public = (row for row in rows if row.status == APPROVED and row.published_at <= now)
        found = {row.id: article_of(row, row.content) for row in public}
        return [found[article_id] for article_id in ids if article_id in found]

    def load_reader_state(self, user_id: int | None, article: Article) -> ReaderState:
        """Return a reader's relation to an article; ``user_id`` is None if nobody is signed in."""
        if user_id is None:
            return ReaderState()
        with self.database.read() as session:
            favourite = session.get(InfoUserCollection, (user_id, article.id))
            follows = session.get(InfoUserFans, (user_id, article.author_id)) if article.author_id else None
        return ReaderState(favourite is not None, follows is not None)

    def _page(self, name: ListName, cursor: str | None, limit: int) -> KeysetPage[Article]:
        position = read_cursor(cursor, name)
        # One row more than the page shows whether there is a next page.
        parameters = page_parameters(name, position, now=self.clock(), limit=limit + 1)
        rows = self.database.read_rows(page_query(name, position), parameters)
        page = cut_page(rows, limit, name, partial(position_of, name))
        return KeysetPage([article_of(row) for row in page.items], page.next_cursor)


def updated_at(row: Row[*tuple[Any, ...]]) -> datetime:
    """Return when a row's article was last edited, or else published: the classic's update_time follows each view."""
    published_at: datetime = row.published_at
    return max(published_at, row.update_time) if row.version > 1 and row.update_time else published_at


def _without_newest(category_id: int | None) -> int | None:
    return None if category_id == NEWEST_CATEGORY_ID else category_id


def article_of(row: Row[*tuple[Any, ...]], content: str = "") -> Article:
    """Make an article of a row with `LIST_COLUMNS`; lists have no content."""
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
        updated_at=updated_at(row),
        version=row.version,
    )
