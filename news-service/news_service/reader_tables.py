"""The tables of what readers do: comments, likes, favourites, follows. Their ids of users have no foreign key."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from chassis.database import UtcDateTime
from news_service.tables import LONG_TEXT, OPTIONS, Base


class InfoComment(Base):
    """A comment on an article, or an answer to another comment."""

    __tablename__ = "info_comment"
    __table_args__ = (
        Index("ix_info_comment_news", "news_id", "id"),
        Index("ix_info_comment_parent", "parent_id"),
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


class InfoCommentLike(Base):
    """Who likes which comment."""

    __tablename__ = "info_comment_like"
    __table_args__ = OPTIONS

    create_time: Mapped[datetime | None] = mapped_column(UtcDateTime)
    update_time: Mapped[datetime | None] = mapped_column(UtcDateTime)
    comment_id: Mapped[int] = mapped_column(ForeignKey("info_comment.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class InfoUserCollection(Base):
    """Who keeps which article as a favourite."""

    __tablename__ = "info_user_collection"
    __table_args__ = (Index("ix_info_user_collection_news", "news_id"), OPTIONS)

    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    news_id: Mapped[int] = mapped_column(ForeignKey("info_news.id"), primary_key=True)
    create_time: Mapped[datetime | None] = mapped_column(UtcDateTime)


class InfoUserFans(Base):
    """Who follows whom."""

    __tablename__ = "info_user_fans"
    __table_args__ = (Index("ix_info_user_fans_followed", "followed_id"), OPTIONS)

    follower_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    followed_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
