"""The tables of the news database: the classic ones, with some columns of our own.

Accounts live in user-service, so no id of a user has a foreign key here. Times may be NULL where old dumps have NULL.
The code that edits an article sets ``update_time``: a change on every UPDATE would also follow each counted view.
"""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, MetaData, String, Text
from sqlalchemy.dialects.mysql import MEDIUMTEXT
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from chassis.database import UtcDateTime

NEWEST_CATEGORY_ID = 1
"""The classic pseudo category 最新: no filter."""

APPROVED, IN_REVIEW, REJECTED, DRAFT, WITHDRAWN = 0, 1, -1, 2, 3
"""The states of an article; only `APPROVED` is public. Drafts and withdrawn ones are ours, the rest is classic."""

# MariaDB's TEXT ends at 64 KiB, and its default collation may be one that knows no four-byte characters.
LONG_TEXT = Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")
OPTIONS = {"mysql_charset": "utf8mb4", "mysql_engine": "InnoDB"}


class Base(DeclarativeBase):
    """The metadata that migrations are compared with."""

    metadata = MetaData(naming_convention={"fk": "fk_%(table_name)s_%(column_0_name)s", "pk": "pk_%(table_name)s"})


class InfoCategory(Base):
    """A category; id 1 is 最新."""

    __tablename__ = "info_category"
    __table_args__ = OPTIONS

    create_time: Mapped[datetime | None] = mapped_column(UtcDateTime)
    update_time: Mapped[datetime | None] = mapped_column(UtcDateTime)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))


class InfoNews(Base):
    """An article. ``content`` is HTML that `sanitising.clean_html` has passed."""

    __tablename__ = "info_news"
    # One index per list, read backwards from a cursor.
    __table_args__ = (
        Index("ix_info_news_newest", "status", "published_at", "id"),
        Index("ix_info_news_newest_of_category", "status", "category_id", "published_at", "id"),
        Index("ix_info_news_newest_of_author", "status", "user_id", "published_at", "id"),
        Index("ix_info_news_hot", "status", "hot_score", "id"),
        Index("ix_info_news_hot_of_category", "status", "category_id", "hot_score", "id"),
        Index("ix_info_news_hot_of_author", "status", "user_id", "hot_score", "id"),
        OPTIONS,
    )

    create_time: Mapped[datetime | None] = mapped_column(UtcDateTime)
    update_time: Mapped[datetime | None] = mapped_column(UtcDateTime)
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(256))
    source: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(512))
    content: Mapped[str] = mapped_column(LONG_TEXT)
    clicks: Mapped[int] = mapped_column(server_default="0")
    index_image_url: Mapped[str | None] = mapped_column(String(256))
    category_id: Mapped[int | None] = mapped_column(ForeignKey("info_category.id"))
    user_id: Mapped[int | None]
    status: Mapped[int]
    reason: Mapped[str | None] = mapped_column(String(256))
    published_at: Mapped[datetime] = mapped_column(UtcDateTime)
    hot_score: Mapped[int] = mapped_column(BigInteger, server_default="0")
    comment_count: Mapped[int] = mapped_column(server_default="0")
    version: Mapped[int] = mapped_column(server_default="1")


class NewsViewFlush(Base):
    """A batch of counted views that was added to the articles; its id makes it impossible to add it twice."""

    __tablename__ = "news_view_flush"
    __table_args__ = (Index("ix_news_view_flush_flushed_at", "flushed_at"), OPTIONS)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    flushed_at: Mapped[datetime] = mapped_column(UtcDateTime)


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
    """A user's like of a comment."""

    __tablename__ = "info_comment_like"
    __table_args__ = OPTIONS

    create_time: Mapped[datetime | None] = mapped_column(UtcDateTime)
    update_time: Mapped[datetime | None] = mapped_column(UtcDateTime)
    comment_id: Mapped[int] = mapped_column(ForeignKey("info_comment.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class InfoUserCollection(Base):
    """An article among a user's favourites."""

    __tablename__ = "info_user_collection"
    __table_args__ = (Index("ix_info_user_collection_news", "news_id"), OPTIONS)

    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    news_id: Mapped[int] = mapped_column(ForeignKey("info_news.id"), primary_key=True)
    create_time: Mapped[datetime | None] = mapped_column(UtcDateTime)


class InfoUserFans(Base):
    """A user who follows another user."""

    __tablename__ = "info_user_fans"
    __table_args__ = (Index("ix_info_user_fans_followed", "followed_id"), OPTIONS)

    follower_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    followed_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
