"""The tables of comments and their likes."""

import enum
from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from chassis.database import UtcDateTime
from news_service.tables import LONG_TEXT, OPTIONS, Base

VISIBLE, HELD, HIDDEN, DELETED = 0, 1, -1, 2
"""The states of a comment: readable, waiting for its review, taken down by a reviewer, deleted by its author."""


class ReviewPolicy(enum.StrEnum):
    """Which new comments wait for a review, beside those that the word list holds."""

    OFF = "off"
    FIRST = "first"
    ALL = "all"


class InfoComment(Base):
    """A comment on an article, or an answer to another comment.

    ``root_id`` is the first comment above an answer, and 0 for a comment that answers none: readers see two levels.
    ``reply_count`` counts the visible answers below a root. ``is_listed`` is true of a visible comment, and of a root
    whose tombstone is shown because visible answers stand below it. ``reason`` says why a comment was hidden.
    """

    __tablename__ = "info_comment"
    __table_args__ = (
        Index("ix_info_comment_news", "news_id", "id"),
        Index("ix_info_comment_parent", "parent_id"),
        # The roots of an article and the answers below one root, in time order; the roots by likes.
        Index("ix_info_comment_thread", "news_id", "root_id", "is_listed", "id"),
        Index("ix_info_comment_liked", "news_id", "root_id", "is_listed", "like_count", "id"),
        Index("ix_info_comment_own", "user_id", "id"),
        Index("ix_info_comment_review", "status", "id"),
        OPTIONS,
    )

    create_time: Mapped[datetime | None] = mapped_column(UtcDateTime)
    update_time: Mapped[datetime | None] = mapped_column(UtcDateTime)
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int]
    news_id: Mapped[int] = mapped_column(ForeignKey("info_news.id"))
    content: Mapped[str] = mapped_column(LONG_TEXT)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("info_comment.id"))
    like_count: Mapped[int] = mapped_column(server_default="0")
    root_id: Mapped[int] = mapped_column(server_default="0")
    status: Mapped[int] = mapped_column(server_default="0")
    reply_count: Mapped[int] = mapped_column(server_default="0")
    is_listed: Mapped[bool] = mapped_column(server_default="1")
    reason: Mapped[str | None] = mapped_column(String(256))


class InfoCommentLike(Base):
    """A user's like of a comment."""

    __tablename__ = "info_comment_like"
    __table_args__ = OPTIONS

    create_time: Mapped[datetime | None] = mapped_column(UtcDateTime)
    update_time: Mapped[datetime | None] = mapped_column(UtcDateTime)
    comment_id: Mapped[int] = mapped_column(ForeignKey("info_comment.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
