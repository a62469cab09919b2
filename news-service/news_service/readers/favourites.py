"""The favourites of a reader."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any  # Rows of differing columns.

from sqlalchemy import Row, bindparam, delete, select
from sqlalchemy.exc import IntegrityError

from chassis.database import Database, utc_now
from chassis.errors import NotFound
from news_service.articles.articles import Article, article_of
from news_service.articles.listings import LIST_COLUMNS, Rows, only_public
from news_service.articles.tables import InfoNews
from news_service.articles.views import Views
from news_service.cursors import KeysetPage, Position, cut_page, earlier_than, moment_at, read_cursor, sort_key
from news_service.readers.tables import InfoUserCollection
from news_service.tables import HIGHEST_ID

_favourite = InfoUserCollection.__table__.c
_PUBLIC = only_public(select(InfoNews.__table__.c.id)).where(InfoNews.__table__.c.id == bindparam("article_id"))


@dataclass(frozen=True)
class Favourites:
    """Puts articles among a reader's favourites and takes them out; each may be done again without effect."""

    database: Database
    views: Views
    clock: Callable[[], datetime] = utc_now

    def add(self, article_id: int, *, user_id: int) -> None:
        """Put a public article among a user's favourites.

        Raises:
            NotFound: the public may not read the article.
        """
        now = self.clock()
        values = {"now": now, "article_id": article_id}
        if not 0 < article_id <= HIGHEST_ID or not self.database.read_rows(_PUBLIC, values):
            raise NotFound
        try:
            with self.database.write() as session:
                if session.get(InfoUserCollection, (user_id, article_id)) is not None:
                    return
                session.add(InfoUserCollection(user_id=user_id, news_id=article_id, create_time=now))
        except IntegrityError:
            return  # The same request came twice at once, and the other one is first.
        self.views.score_again(article_id)

    def remove(self, article_id: int, *, user_id: int) -> None:
        """Take an article out of a user's favourites, also one that nobody may read any more."""
        if article_id > HIGHEST_ID:
            return
        own = (InfoUserCollection.user_id == user_id, InfoUserCollection.news_id == article_id)
        with self.database.write() as session:
            removed = session.execute(delete(InfoUserCollection).where(*own)).rowcount  # type: ignore[attr-defined]
        if removed:
            self.views.score_again(article_id)

    def list_own(self, user_id: int, *, cursor: str | None, limit: int) -> KeysetPage[Article]:
        """Return a page of a user's favourites that the public may read, the last chosen first.

        Raises:
            RequestInvalid: the cursor is broken or belongs to another list.
        """
        name = ("favourites", user_id)
        position = read_cursor(cursor, name)
        values: dict[str, Any] = {"now": self.clock(), "user_id": user_id, "limit": limit + 1}
        if position is not None:
            values |= {"key": moment_at(position.key), "item_id": position.item_id}
        rows = self.database.read_rows(_FORMS[position is not None], values)
        page = cut_page(rows, limit, name, _position_of)
        return KeysetPage([article_of(row) for row in page.items], page.next_cursor)


def _form(*, is_continued: bool) -> Rows:
    query = only_public(select(*LIST_COLUMNS, _favourite.create_time.label("chosen_at")))
    query = query.where(InfoNews.__table__.c.id == _favourite.news_id, _favourite.user_id == bindparam("user_id"))
    if is_continued:
        query = query.where(earlier_than(_favourite.create_time, _favourite.news_id))
    return query.order_by(_favourite.create_time.desc(), _favourite.news_id.desc()).limit(bindparam("limit"))


_FORMS = {is_continued: _form(is_continued=is_continued) for is_continued in (False, True)}


def _position_of(row: Row[*tuple[Any, ...]]) -> Position:
    return Position(sort_key(row.chosen_at), row.id)
