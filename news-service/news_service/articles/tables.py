"""The tables of categories and articles, and of counted views that were added to these."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from chassis.database import UtcDateTime
from news_service.tables import LONG_TEXT, OPTIONS, Base

NEWEST_CATEGORY_ID = 1
"""The classic pseudo category 最新: no filter."""

APPROVED, IN_REVIEW, REJECTED, DRAFT, WITHDRAWN = 0, 1, -1, 2, 3
"""The states of an article; only `APPROVED` is public. Drafts and withdrawn ones are ours, the rest is classic."""


class InfoCategory(Base):
    """A category; id 1 is 最新. ``slug`` names it in addresses, and ``position`` orders the list (ids break ties)."""

    __tablename__ = "info_category"
    __table_args__ = (Index("uq_info_category_slug", "slug", unique=True), OPTIONS)

    create_time: Mapped[datetime | None] = mapped_column(UtcDateTime)
    update_time: Mapped[datetime | None] = mapped_column(UtcDateTime)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    slug: Mapped[str | None] = mapped_column(String(64))
    position: Mapped[int] = mapped_column(server_default="0")


class InfoNews(Base):
    """An article.

    ``content`` is HTML that `sanitising.clean_html` has passed, and ``markdown`` the text that it was made from, if it
    was written in Markdown. ``submitted_at`` is the moment of the last submission to the review.
    """

    __tablename__ = "info_news"
    # One index per list, read backwards from a cursor.
    __table_args__ = (
        Index("ix_info_news_newest", "status", "published_at", "id"),
        Index("ix_info_news_newest_of_category", "status", "category_id", "published_at", "id"),
        Index("ix_info_news_newest_of_author", "status", "user_id", "published_at", "id"),
        Index("ix_info_news_hot", "status", "hot_score", "id"),
        Index("ix_info_news_hot_of_category", "status", "category_id", "hot_score", "id"),
        Index("ix_info_news_hot_of_author", "status", "user_id", "hot_score", "id"),
        Index("ix_info_news_own", "user_id", "id"),
        Index("ix_info_news_review", "status", "submitted_at", "id"),
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
    markdown: Mapped[str | None] = mapped_column(LONG_TEXT)
    ai_generated: Mapped[bool] = mapped_column(server_default="0")
    submitted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class NewsRevision(Base):
    """What an article says or said in one version, which ``editor_id`` saved."""

    __tablename__ = "news_revision"
    __table_args__ = (OPTIONS,)

    news_id: Mapped[int] = mapped_column(ForeignKey("info_news.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    saved_at: Mapped[datetime] = mapped_column(UtcDateTime)
    editor_id: Mapped[int | None]
    title: Mapped[str] = mapped_column(String(256))
    source: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(512))
    content: Mapped[str] = mapped_column(LONG_TEXT)
    markdown: Mapped[str | None] = mapped_column(LONG_TEXT)
    index_image_url: Mapped[str | None] = mapped_column(String(256))
    category_id: Mapped[int | None]


class NewsViewFlush(Base):
    """A batch of counted views that was added to the articles; its id makes it impossible to add it twice."""

    __tablename__ = "news_view_flush"
    __table_args__ = (Index("ix_news_view_flush_flushed_at", "flushed_at"), OPTIONS)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    flushed_at: Mapped[datetime] = mapped_column(UtcDateTime)
