"""The articles of the authors whom a reader follows, the newest first.

1. One query looks up the newest article of each followed author after the page's begin, by one step into an index
   each, and keeps the best ``limit`` of them. No other author can have an article on this page, because each of these
   has one that is newer than all of theirs.
2. One query reads the newest ``limit`` articles of each of these authors, and keeps the best ``limit`` of all.

So a page costs one step per followed author and at most ``limit`` times ``limit`` rows, however many articles there
are, and however often these authors write. (Reading the newest of all articles and keeping those of followed authors
takes the longer the less these write; sorting all of theirs takes the longer the more they write.)
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any  # Rows of differing columns, parameters of differing types.

from sqlalchemy import BindParameter, FromClause, Row, Select, bindparam, or_, select, union_all

from chassis.database import Database, utc_now
from news_service.articles.articles import Article, article_of
from news_service.articles.listings import LIST_COLUMNS, Rows
from news_service.articles.tables import APPROVED, InfoNews
from news_service.cursors import KeysetPage, Position, cut_page, moment_at, read_by, read_cursor, sort_key
from news_service.readers.follows import MOST_FOLLOWS
from news_service.readers.tables import InfoUserFans

_follow = InfoUserFans.__table__.c
_news = InfoNews.__table__.c


@dataclass(frozen=True)
class Feed:
    """Reads the articles of followed authors."""

    database: Database
    clock: Callable[[], datetime] = utc_now

    def list_newest(self, user_id: int, *, cursor: str | None, limit: int) -> KeysetPage[Article]:
        """Return a page of public articles by the authors whom a user follows, the newest first.

        Raises:
            RequestInvalid: the cursor is broken or belongs to another list.
        """
        name = ("feed", user_id)
        position = read_cursor(cursor, name)
        # One row more than the page shows whether there is a next page.
        values: dict[str, Any] = {"moment": self.clock(), "limit": limit + 1}
        if position is not None:
            # No position lies in the future, so that it takes the place of the moment as the upper end.
            values |= {"moment": min(moment_at(position.key), values["moment"]), "item_id": position.item_id}
        is_continued = position is not None
        authors = self.database.read_rows(_newest_authors(is_continued), values | {"user_id": user_id})
        if not authors:
            return KeysetPage([], None)
        values |= {f"author_{number}": row.followed_id for number, row in enumerate(authors)}
        rows = self.database.read_rows(_newest_of(len(authors), is_continued), values)
        page = cut_page(rows, limit, name, _position_of)
        return KeysetPage([article_of(row) for row in page.items], page.next_cursor)


def _newest(table: FromClause, author: Any, is_continued: bool) -> Select[*tuple[Any, ...]]:
    """Select the ids of an author's public articles after the page's begin, the newest first, by the index of that."""
    columns = table.c
    moment = bindparam("moment", type_=columns.published_at.type)
    query = select(columns.id, columns.published_at).where(
        columns.status == APPROVED, columns.user_id == author, columns.published_at <= moment
    )
    if is_continued:
        query = query.where(or_(columns.published_at < moment, columns.id < bindparam("item_id")))
    query = query.order_by(columns.published_at.desc(), columns.id.desc())
    return read_by("ix_info_news_newest_of_author", query, table)


@cache
def _newest_authors(is_continued: bool) -> Rows:
    newest = _newest(InfoNews.__table__.alias("own"), _follow.followed_id, is_continued).limit(1)
    # Both values stand in the index. A join with the articles would read a row of each author, or all of them.
    columns = [newest.with_only_columns(column).scalar_subquery() for column in newest.selected_columns]
    own_follows = select(_follow.followed_id, columns[0].label("id"), columns[1].label("published_at"))
    own_follows = own_follows.where(_follow.follower_id == bindparam("user_id"))
    # An import may bring more follows than people can make here; then the feed has the same authors on every page.
    of_each = own_follows.order_by(_follow.followed_id).limit(MOST_FOLLOWS).subquery()
    query = select(of_each.c.followed_id).where(of_each.c.id.is_not(None))
    return query.order_by(of_each.c.published_at.desc(), of_each.c.id.desc()).limit(bindparam("limit"))


@cache  # One form per number of authors, at most as many as a page has articles.
def _newest_of(authors: int, is_continued: bool) -> Rows:
    limit: BindParameter[int] = bindparam("limit")
    parts = []
    for number in range(authors):
        own = InfoNews.__table__.alias(f"own_{number}")
        of_one = _newest(own, bindparam(f"author_{number}"), is_continued).limit(limit).subquery()
        parts.append(select(of_one.c.id, of_one.c.published_at))
    of_all = union_all(*parts).subquery("of_all")
    best = select(of_all.c.id).order_by(of_all.c.published_at.desc(), of_all.c.id.desc()).limit(limit).subquery("best")
    query = select(*LIST_COLUMNS).join_from(best, InfoNews.__table__, _news.id == best.c.id)
    return query.order_by(_news.published_at.desc(), _news.id.desc())


def _position_of(row: Row[*tuple[Any, ...]]) -> Position:
    return Position(sort_key(row.published_at), row.id)
