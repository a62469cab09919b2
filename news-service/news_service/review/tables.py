"""The table of what reviewers decided."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from chassis.database import UtcDateTime
from news_service.tables import OPTIONS, Base


class NewsDecision(Base):
    """A decision on an article, on a comment or on a user: who made it, when and why. Rows are only ever added.

    ``action`` is the decision's name. ``actor_id`` is None for what the word list decided. A user has no state here.
    """

    __tablename__ = "news_decision"
    __table_args__ = (
        Index("ix_news_decision_news", "news_id", "id"),
        Index("ix_news_decision_comment", "comment_id", "id"),
        Index("ix_news_decision_user", "user_id", "id"),
        Index("ix_news_decision_actor", "actor_id", "id"),
        Index("ix_news_decision_action", "action", "id"),
        OPTIONS,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor_id: Mapped[int | None]
    action: Mapped[str] = mapped_column(String(32))
    news_id: Mapped[int | None] = mapped_column(ForeignKey("info_news.id"))
    comment_id: Mapped[int | None] = mapped_column(ForeignKey("info_comment.id"))
    user_id: Mapped[int | None]
    reason: Mapped[str | None] = mapped_column(String(256))
    status_before: Mapped[int | None]
    status_after: Mapped[int | None]
