"""Notices for one user: somebody answered a comment or commented on an article, or a review decided."""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any  # Rows of differing columns.

from sqlalchemy import Row, and_, bindparam, case, func, or_, select, update
from sqlalchemy.orm import Session

from chassis.database import Database, utc_now
from news_service.articles.listings import Rows
from news_service.articles.tables import APPROVED, InfoNews
from news_service.comments.tables import DELETED, VISIBLE, InfoComment
from news_service.cursors import KeysetPage, Position, cut_page, read_cursor
from news_service.readers.tables import NewsNotice

MOST_COUNTED = 100
"""A count of unread notices ends here."""

_notice = NewsNotice.__table__.c
_news = InfoNews.__table__.c
_comment = InfoComment.__table__.c


class NoticeKind(enum.StrEnum):
    """What happened. The first two name the other user, the rest are decisions of a review and name nobody."""

    REPLY = "reply"
    COMMENT = "comment"
    ARTICLE_APPROVED = "article_approved"
    ARTICLE_REJECTED = "article_rejected"
    ARTICLE_WITHDRAWN = "article_withdrawn"
    ARTICLE_RESTORED = "article_restored"
    COMMENT_APPROVED = "comment_approved"
    COMMENT_HIDDEN = "comment_hidden"
    COMMENT_RESTORED = "comment_restored"


@dataclass(frozen=True, kw_only=True)
class Event:
    """What a notice tells: its kind, when it happened, on which article or comment, by whom, and a decision's text.

    ``reason`` is at most 256 characters. ``actor_id`` is None for a review, because reviewers are not named.
    """

    kind: NoticeKind
    at: datetime
    news_id: int | None = None
    comment_id: int | None = None
    actor_id: int | None = None
    reason: str | None = None


def add_notice(session: Session, user_id: int, event: Event) -> None:
    """Write a notice for a user into the caller's transaction, so that it exists if and only if the event does."""
    session.add(
        NewsNotice(
            user_id=user_id,
            kind=event.kind.value,
            news_id=event.news_id,
            comment_id=event.comment_id,
            actor_id=event.actor_id,
            reason=event.reason,
            created_at=event.at,
        )
    )


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A notice as its user reads it.

    The title and the text of the comment are None where there is none, or where the user may not read them (any more).
    """

    id: int
    event: Event
    title: str | None
    content: str | None
    is_read: bool


@dataclass(frozen=True)
class Notices:
    """The notices of users."""

    database: Database
    clock: Callable[[], datetime] = utc_now

    def list_own(self, user_id: int, *, cursor: str | None, limit: int) -> KeysetPage[Notice]:
        """Return a page of a user's notices, the newest first.

        Raises:
            RequestInvalid: the cursor is broken or belongs to another list.
        """
        name = ("notices", user_id)
        position = read_cursor(cursor, name)
        values: dict[str, Any] = {"user_id": user_id, "now": self.clock(), "limit": limit + 1}
        if position is not None:
            values["item_id"] = position.item_id
        rows = self.database.read_rows(_FORMS[position is not None], values)
        page = cut_page(rows, limit, name, lambda row: Position(0, row.id))
        return KeysetPage([_notice_of(row) for row in page.items], page.next_cursor)

    def count_unread(self, user_id: int) -> int:
        """Count a user's unread notices, up to `MOST_COUNTED`."""
        (row,) = self.database.read_rows(_UNREAD, {"user_id": user_id})
        return int(row.unread)

    def mark_read(self, user_id: int, *, up_to_id: int) -> None:
        """Mark a user's notices as read up to one of them; what was read before keeps its time."""
        unread = (NewsNotice.user_id == user_id, NewsNotice.read_at.is_(None), NewsNotice.id <= up_to_id)
        with self.database.write() as session:
            change = update(NewsNotice).where(*unread).values(read_at=self.clock())
            session.execute(change.execution_options(synchronize_session=False))


def _form(*, is_continued: bool) -> Rows:
    user_id = bindparam("user_id", type_=_notice.user_id.type)
    is_public = and_(_news.status == APPROVED, _news.published_at <= bindparam("now"))
    is_shown = and_(_comment.status == VISIBLE, is_public)
    is_own = and_(_comment.user_id == user_id, _comment.status != DELETED)
    query = (
        select(
            *_notice,
            case((or_(is_public, _news.user_id == user_id), _news.title)).label("title"),
            case((or_(is_shown, is_own), _comment.content)).label("content"),
        )
        .select_from(NewsNotice.__table__)
        .outerjoin(InfoNews.__table__, _news.id == _notice.news_id)
        .outerjoin(InfoComment.__table__, _comment.id == _notice.comment_id)
        .where(_notice.user_id == user_id)
    )
    query = query.where(_notice.id < bindparam("item_id")) if is_continued else query
    return query.order_by(_notice.id.desc()).limit(bindparam("limit"))


_FORMS = {is_continued: _form(is_continued=is_continued) for is_continued in (False, True)}
_SOME_UNREAD = (
    select(_notice.id).where(_notice.user_id == bindparam("user_id"), _notice.read_at.is_(None)).limit(MOST_COUNTED)
)
_UNREAD = select(func.count().label("unread")).select_from(_SOME_UNREAD.subquery())


def _notice_of(row: Row[*tuple[Any, ...]]) -> Notice:
    event = Event(
        kind=NoticeKind(row.kind),
        at=row.created_at,
        news_id=row.news_id,
        comment_id=row.comment_id,
        actor_id=row.actor_id,
        reason=row.reason,
    )
    return Notice(id=row.id, event=event, title=row.title, content=row.content, is_read=row.read_at is not None)
