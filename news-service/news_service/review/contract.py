"""The shapes of the review's requests and answers, each answer built in one place."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal  # Any: JSON objects, rows.

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from sqlalchemy import Row

from chassis.texts import free_text
from news_service.articles.contract import Author, Id, PageQuery, author_of, rfc3339
from news_service.clients.user_service import UserName
from news_service.comments.tables import DELETED, HELD, HIDDEN, VISIBLE
from news_service.cursors import KeysetPage
from news_service.review.articles import Outcome, ReviewedArticle
from news_service.review.authors import Progress
from news_service.review.decisions import Action, DecisionFilter
from news_service.review.queue import Waiting
from news_service.tables import HIGHEST_ID
from news_service.writing.states import STATE_NAMES

COMMENT_STATES = {VISIBLE: "visible", HELD: "held", HIDDEN: "hidden", DELETED: "deleted"}


def _shown(reason: str) -> str:
    if re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", reason):
        raise ValueError("control characters are not allowed")
    return free_text(reason).strip()


Reason = Annotated[str, Field(max_length=256), AfterValidator(_shown)]


class _DecisionBody(BaseModel):
    model_config = ConfigDict(extra="forbid")
    action: str
    reason: Reason | None = Field(default=None, validate_default=True)

    @field_validator("reason")
    @classmethod
    def _need_reason(cls, reason: str | None, known: ValidationInfo) -> str | None:
        if not reason and known.data.get("action", "approve") not in ("approve", "restore"):
            raise ValueError("this action needs a reason; the author is told")
        return reason or None


class ArticleDecision(_DecisionBody):
    """What happens to an article, in the version that the reviewer has read; to reject or withdraw needs a reason."""

    action: Literal["approve", "reject", "withdraw", "restore"]
    version: Annotated[int, Field(ge=1, le=HIGHEST_ID)]


class CommentDecision(_DecisionBody):
    """What happens to a comment; to hide one needs a reason."""

    action: Literal["approve", "hide", "restore"]


class UserDecision(_DecisionBody):
    """What happens to everything that a user wrote; ``ask_ban`` asks the administrators to ban the account."""

    action: Literal["hide", "restore", "ask_ban"]


class SubjectPath(BaseModel):
    """Which article, comment or user."""

    id: int


class QueueQuery(PageQuery):
    """Which part of the queue, from where on."""

    kind: Literal["article", "comment"] = "article"


class DecisionsQuery(PageQuery):
    """Which decisions: all, or those of one article, comment, user, reviewer or action."""

    news_id: Id | None = None
    comment_id: Id | None = None
    user_id: Id | None = None
    actor: Id | None = None
    action: Action | None = None

    @model_validator(mode="after")
    def _need_one_filter(self) -> "DecisionsQuery":
        if len(self._filters()) > 1:
            raise ValueError("at most one of news_id, comment_id, user_id, actor and action")
        return self

    def _filters(self) -> dict[str, int | str]:
        given = {
            "news_id": self.news_id,
            "comment_id": self.comment_id,
            "user_id": self.user_id,
            "actor_id": self.actor,
            "action": self.action.value if self.action else None,
        }
        return {column: value for column, value in given.items() if value is not None}

    def wanted(self) -> DecisionFilter:
        """Return the filter."""
        for column, value in self._filters().items():
            return DecisionFilter(column=column, value=value)
        return DecisionFilter()


class QueueItem(BaseModel):
    """What waits: an article with its digest, or a comment with its text. All texts are plain."""

    kind: Literal["article", "comment"]
    id: int
    news_id: int
    author: Author | None
    title: str
    text: str
    category_id: int | None
    version: int | None
    waiting_since: datetime | None


class QueuePage(BaseModel):
    """A page of the queue; the last one has no next cursor."""

    items: list[QueueItem]
    next_cursor: str | None


class DecisionItem(BaseModel):
    """A decision. The actor is null if the word list decided."""

    id: int
    decided_at: datetime
    actor: Author | None
    action: Action
    news_id: int | None
    comment_id: int | None
    user_id: int | None
    reason: str | None
    status_before: str | None
    status_after: str | None


class DecisionPage(BaseModel):
    """A page of decisions, the newest first; the last one has no next cursor."""

    items: list[DecisionItem]
    next_cursor: str | None


class Record(BaseModel):
    """How many articles of the author are approved and rejected; at most 1000 are counted."""

    approved: int
    rejected: int


class ReviewedArticleDetail(BaseModel):
    """An article as a reviewer reads it; ``content`` is safe HTML, ``markdown`` what it was made from, if anything."""

    id: int
    status: str
    version: int
    title: str
    source: str
    digest: str
    content: str
    markdown: str | None
    index_image_url: str | None
    category_id: int | None
    ai_generated: bool
    author: Author | None
    reason: str | None
    submitted_at: datetime | None
    published_at: datetime
    author_record: Record
    decisions: list[DecisionItem]


class ArticleOutcome(BaseModel):
    """The state of an article after a decision."""

    id: int
    status: str
    version: int


class CommentOutcome(BaseModel):
    """The state of a comment after a decision."""

    id: int
    status: str


class UserOutcome(BaseModel):
    """How many articles and comments changed; if these are not all, the same call goes on."""

    changed: int
    is_complete: bool


def queue_page(page: KeysetPage[Waiting], names: dict[int, UserName]) -> dict[str, Any]:
    """Build the answer of a page of the queue."""
    items = [
        {
            "kind": each.kind,
            "id": each.id,
            "news_id": each.news_id,
            "author": author_of(each.author_id, names),
            "title": each.title,
            "text": each.text,
            "category_id": each.category_id,
            "version": each.version,
            "waiting_since": rfc3339(each.waiting_since),
        }
        for each in page.items
    ]
    return {"items": items, "next_cursor": page.next_cursor}


def decision_page(page: KeysetPage[Row[*tuple[Any, ...]]], names: dict[int, UserName]) -> dict[str, Any]:
    """Build the answer of a page of decisions."""
    return {"items": [_decision(row, names) for row in page.items], "next_cursor": page.next_cursor}


def reviewed_article(article: ReviewedArticle, names: dict[int, UserName]) -> dict[str, Any]:
    """Build the answer of an article under review."""
    row = article.row
    return {
        "id": row.id,
        "status": STATE_NAMES[row.status],
        "version": row.version,
        "title": row.title,
        "source": row.source,
        "digest": row.digest,
        "content": row.content,
        "markdown": row.markdown,
        "index_image_url": row.index_image_url,
        "category_id": row.category_id,
        "ai_generated": row.ai_generated,
        "author": author_of(row.user_id, names),
        "reason": row.reason,
        "submitted_at": rfc3339(row.submitted_at),
        "published_at": rfc3339(row.published_at),
        "author_record": {"approved": article.record.approved, "rejected": article.record.rejected},
        "decisions": [_decision(decision, names) for decision in article.decisions],
    }


def article_outcome(article_id: int, outcome: Outcome) -> dict[str, Any]:
    """Build the answer of a decision on an article."""
    return {"id": article_id, "status": STATE_NAMES[outcome.status], "version": outcome.version}


def comment_outcome(comment_id: int, status: int) -> dict[str, Any]:
    """Build the answer of a decision on a comment."""
    return {"id": comment_id, "status": COMMENT_STATES[status]}


def user_outcome(progress: Progress) -> dict[str, Any]:
    """Build the answer of a decision on a user."""
    return {"changed": progress.changed, "is_complete": progress.is_complete}


def _decision(row: Row[*tuple[Any, ...]], names: dict[int, UserName]) -> dict[str, Any]:
    states = COMMENT_STATES if row.comment_id is not None else STATE_NAMES
    return {
        "id": row.id,
        "decided_at": rfc3339(row.decided_at),
        "actor": author_of(row.actor_id, names),
        "action": row.action,
        "news_id": row.news_id,
        "comment_id": row.comment_id,
        "user_id": row.user_id,
        "reason": row.reason,
        "status_before": states.get(row.status_before),
        "status_after": states.get(row.status_after),
    }
