"""Whom a reader follows, and the articles of those people."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any  # Rows of differing columns, parameters of differing types.

from sqlalchemy import ColumnElement, Row, ScalarSelect, Select, bindparam, delete, func, select
from sqlalchemy.exc import IntegrityError

from chassis.database import Database, utc_now
from chassis.errors import FieldError, NotFound, RequestInvalid
from news_service.articles.tables import APPROVED, InfoNews
from news_service.clients.user_service import Users
from news_service.cursors import KeysetPage, Position, cut_page, earlier_than, moment_at, read_cursor, sort_key
from news_service.readers.tables import InfoUserFans
from news_service.tables import HIGHEST_ID

MOST_FOLLOWS = 1000
MOST_COUNTED = 10_000
"""Counts of followers and articles end here, because counting more of them costs too much for a page."""

_follow = InfoUserFans.__table__.c
_news = InfoNews.__table__.c


@dataclass(frozen=True)
class Followed:
    """Somebody whom a user follows, and since when."""

    user_id: int
    since: datetime


@dataclass(frozen=True)
class AuthorFigures:
    """How many follow an author, whom the author follows, and what is published; each at most `MOST_COUNTED`."""

    followers: int
    following: int
    articles: int
    is_followed: bool


@dataclass(frozen=True)
class Follows:
    """Lets users follow each other; each change may be done again without effect."""

    database: Database
    users: Users
    clock: Callable[[], datetime] = utc_now

    def add(self, followed_id: int, *, user_id: int) -> None:
        """Let a user follow another one.

        Requests that come at the same moment may exceed `MOST_FOLLOWS` by their number.

        Raises:
            NotFound: there is no such user.
            RequestInvalid: users cannot follow themselves, nor more than `MOST_FOLLOWS` others.
            DependencyUnavailable: user-service is away, so that nobody knows whether there is such a user.
        """
        if not 0 < followed_id <= HIGHEST_ID:
            raise NotFound
        if followed_id == user_id:
            raise _wrong("follows_oneself", "Users cannot follow themselves.")
        self.users.user_by_id(followed_id)
        try:
            with self.database.write() as session:
                if session.get(InfoUserFans, (user_id, followed_id)) is not None:
                    return
                if session.scalar(select(_count(_follow.follower_id == user_id, MOST_FOLLOWS))) == MOST_FOLLOWS:
                    raise _wrong("follows_too_many", f"A user follows at most {MOST_FOLLOWS} others.")
                session.add(InfoUserFans(follower_id=user_id, followed_id=followed_id, create_time=self.clock()))
        except IntegrityError:
            return  # The same request came twice at once, and the other one is first.

    def remove(self, followed_id: int, *, user_id: int) -> None:
        """Let a user follow another one no more."""
        if followed_id > HIGHEST_ID:
            return
        own = (InfoUserFans.follower_id == user_id, InfoUserFans.followed_id == followed_id)
        with self.database.write() as session:
            session.execute(delete(InfoUserFans).where(*own))

    def list_own(self, user_id: int, *, cursor: str | None, limit: int) -> KeysetPage[Followed]:
        """Return a page of those whom a user follows, the last chosen first.

        Raises:
            RequestInvalid: the cursor is broken or belongs to another list.
        """
        name = ("following", user_id)
        position = read_cursor(cursor, name)
        values: dict[str, Any] = {"user_id": user_id, "limit": limit + 1}
        if position is not None:
            values |= {"key": moment_at(position.key), "item_id": position.item_id}
        page = cut_page(self.database.read_rows(_FORMS[position is not None], values), limit, name, _position_of)
        return KeysetPage([Followed(row.followed_id, row.create_time) for row in page.items], page.next_cursor)

    def figures(self, author_id: int, *, reader_id: int | None) -> AuthorFigures:
        """Return the numbers of an author, and whether a reader follows them."""
        values = {"author_id": author_id, "reader_id": reader_id or 0, "now": self.clock()}
        (row,) = self.database.read_rows(_FIGURES, values)
        return AuthorFigures(row.followers, row.following, row.articles, bool(row.is_followed))


def _wrong(code: str, detail: str) -> RequestInvalid:
    return RequestInvalid(errors=[FieldError("id", code, detail)])


def _form(*, is_continued: bool) -> Select[*tuple[Any, ...]]:
    query = select(_follow.followed_id, _follow.create_time).where(_follow.follower_id == bindparam("user_id"))
    if is_continued:
        query = query.where(earlier_than(_follow.create_time, _follow.followed_id))
    # A user follows a thousand others at most, which are sorted faster than another index is kept.
    return query.order_by(_follow.create_time.desc(), _follow.followed_id.desc()).limit(bindparam("limit"))


_FORMS = {is_continued: _form(is_continued=is_continued) for is_continued in (False, True)}


def _position_of(row: Row[*tuple[Any, ...]]) -> Position:
    return Position(sort_key(row.create_time), row.followed_id)


def _count(condition: ColumnElement[bool], most: int = MOST_COUNTED) -> ScalarSelect[int]:
    some = select(_follow.followed_id).where(condition).limit(most).subquery()
    return select(func.count()).select_from(some).scalar_subquery()


_ARTICLES = (
    select(_news.id)
    .where(_news.user_id == bindparam("author_id"), _news.status == APPROVED, _news.published_at <= bindparam("now"))
    .limit(MOST_COUNTED)
)
_FIGURES = select(
    _count(_follow.followed_id == bindparam("author_id")).label("followers"),
    _count(_follow.follower_id == bindparam("author_id")).label("following"),
    select(func.count()).select_from(_ARTICLES.subquery()).scalar_subquery().label("articles"),
    select(func.count())
    .where(_follow.follower_id == bindparam("reader_id"), _follow.followed_id == bindparam("author_id"))
    .scalar_subquery()
    .label("is_followed"),
)
