"""What waits for a review, the oldest first: articles, and comments that are held."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any  # Rows of differing columns.

from sqlalchemy import BindParameter, Row, Select, bindparam, func, or_, select

from chassis.database import Database, utc_now
from news_service.articles.tables import IN_REVIEW, InfoNews
from news_service.comments.tables import HELD, InfoComment
from news_service.cursors import KeysetPage, Position, cut_page, moment_at, read_cursor, sort_key
from news_service.review.metrics import QUEUE_AGE, QUEUE_LENGTH

ARTICLE, COMMENT = "article", "comment"
MOST_COUNTED = 1000
_news, _comments = InfoNews.__table__.c, InfoComment.__table__.c


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """An article or a comment in the queue.

    ``title`` is the article's; ``text`` is the digest of an article, or the whole plain text of a comment.
    """

    kind: str
    id: int
    news_id: int
    author_id: int | None
    title: str
    text: str
    category_id: int | None
    version: int | None
    waiting_since: datetime | None


@dataclass(frozen=True)
class ReviewQueue:
    """Reads the queue and measures it."""

    database: Database
    clock: Callable[[], datetime] = utc_now

    def list_page(self, kind: str, *, cursor: str | None, limit: int) -> KeysetPage[Waiting]:
        """Return a page of the articles (``article``) or comments (``comment``) that wait, the oldest first.

        Raises:
            RequestInvalid: the cursor is broken or belongs to another list.
        """
        name = ("review", kind)
        values: dict[str, Any] = {"limit": limit + 1}
        if (position := read_cursor(cursor, name)) is not None:
            values |= {"item_id": position.item_id}
            if kind == ARTICLE:
                values |= {"key": moment_at(position.key)}
        page_of = _articles_page if kind == ARTICLE else _comments_page
        rows = self.database.read_rows(page_of(is_continued=position is not None), values)
        page = cut_page(rows, limit, name, lambda row: Position(_key_of(row), row.id))
        return KeysetPage([_waiting(kind, row) for row in page.items], page.next_cursor)

    def measure(self) -> None:
        """Set the metrics of the queue's length and age."""
        for kind, table in ((ARTICLE, _SOME_ARTICLES), (COMMENT, _SOME_COMMENTS)):
            (row,) = self.database.read_rows(table)
            QUEUE_LENGTH.labels(kind).set(row.length)
            QUEUE_AGE.labels(kind).set((self.clock() - row.oldest).total_seconds() if row.oldest else 0)


def _some(since: Any, waits: Any, first: Any) -> Select[*tuple[Any, ...]]:
    some = select(since.label("since")).where(waits).order_by(*first).limit(MOST_COUNTED).subquery()
    return select(func.count().label("length"), func.min(some.c.since).label("oldest"))


_SOME_ARTICLES = _some(_news.submitted_at, _news.status == IN_REVIEW, (_news.submitted_at, _news.id))
_SOME_COMMENTS = _some(_comments.create_time, _comments.status == HELD, (_comments.id,))


@cache
def _articles_page(*, is_continued: bool) -> Select[*tuple[Any, ...]]:
    columns = (_news.id, _news.id.label("news_id"), _news.user_id, _news.title, _news.digest.label("text"))
    query = select(*columns, _news.category_id, _news.version, _news.submitted_at.label("since"))
    query = query.where(_news.status == IN_REVIEW).order_by(_news.submitted_at, _news.id)
    if is_continued:
        key: BindParameter[Any] = bindparam("key")
        query = query.where(_news.submitted_at >= key, or_(_news.submitted_at > key, _news.id > bindparam("item_id")))
    return query.limit(bindparam("limit"))


@cache
def _comments_page(*, is_continued: bool) -> Select[*tuple[Any, ...]]:
    columns = (_comments.id, _comments.news_id, _comments.user_id, _news.title, _comments.content.label("text"))
    query = select(*columns, _comments.create_time.label("since"))
    query = query.join(InfoNews.__table__, _news.id == _comments.news_id)
    query = query.where(_comments.status == HELD).order_by(_comments.id)
    if is_continued:
        query = query.where(_comments.id > bindparam("item_id"))
    return query.limit(bindparam("limit"))


def _key_of(row: Row[*tuple[Any, ...]]) -> int:
    return sort_key(row.since) if row.since else 0


def _waiting(kind: str, row: Row[*tuple[Any, ...]]) -> Waiting:
    return Waiting(
        kind=kind,
        id=row.id,
        news_id=row.news_id,
        author_id=row.user_id,
        title=row.title,
        text=row.text,
        category_id=row.category_id if kind == ARTICLE else None,
        version=row.version if kind == ARTICLE else None,
        waiting_since=row.since,
    )
