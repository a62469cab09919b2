"""The tables of favourites, follows and notices."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from chassis.database import UtcDateTime
from news_service.tables import OPTIONS, Base


class InfoUserCollection(Base):
    """An article among a user's favourites. A ``create_time`` of 1970 stands for an unknown one, as in some dumps."""

    __tablename__ = "info_user_collection"
    __table_args__ = (
        Index("ix_info_user_collection_news", "news_id"),
        Index("ix_info_user_collection_newest", "user_id", "create_time", "news_id"),
        OPTIONS,
    )

    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    news_id: Mapped[int] = mapped_column(ForeignKey("info_news.id"), primary_key=True)
    create_time: Mapped[datetime | None] = mapped_column(UtcDateTime)


class InfoUserFans(Base):
    """A user who follows another user. The classic table has no time; rows of an import have one of 1970."""

    __tablename__ = "info_user_fans"
    __table_args__ = (Index("ix_info_user_fans_followed", "followed_id"), OPTIONS)

    follower_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    followed_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    create_time: Mapped[datetime | None] = mapped_column(UtcDateTime)


class NewsNotice(Base):
    """A notice for one user: somebody answered their comment, or a review decided on what they wrote.

    ``kind`` is the event, ``actor_id`` the other user (None for a reviewer, whose name is not told), and ``reason`` the
    text of a decision.
    """

    __tablename__ = "news_notice"
    __table_args__ = (
        Index("ix_news_notice_newest", "user_id", "id"),
        Index("ix_news_notice_unread", "user_id", "read_at", "id"),
        OPTIONS,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int]
    kind: Mapped[str] = mapped_column(String(32))
    news_id: Mapped[int | None] = mapped_column(ForeignKey("info_news.id"))
    comment_id: Mapped[int | None] = mapped_column(ForeignKey("info_comment.id"))
    actor_id: Mapped[int | None]
    reason: Mapped[str | None] = mapped_column(String(256))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
