"""Notices for one user: somebody answered a comment or commented on an article, or a review decided."""

import enum
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from news_service.readers.tables import NewsNotice


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
