"""What reviewers decided: rows of the audit, each written in the transaction of its decision, and their list."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any  # Rows of differing columns.

from sqlalchemy import Row, Select, bindparam, func, select
from sqlalchemy.orm import Session

from chassis.database import Database
from news_service.cursors import KeysetPage, Position, cut_page, read_cursor
from news_service.review.metrics import DECISIONS
from news_service.review.tables import NewsDecision

_decisions = NewsDecision.__table__.c
HISTORY = 50


class Action(enum.StrEnum):
    """What was decided.

    The last three concern a user: everything that the user wrote is hidden, comes back, or an administrator is asked to
    ban the account. Each article and comment that such a decision hides or brings back has a row of its own, too.
    """

    APPROVE = "approve"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    HIDE = "hide"
    RESTORE = "restore"
    HIDE_AUTHOR = "hide_author"
    RESTORE_AUTHOR = "restore_author"
    ASK_BAN = "ask_ban"


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """What a reviewer decides: the action, who decides, and why. ``reason`` has at most 256 characters."""

    action: Action
    actor_id: int
    is_admin: bool = False
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a decision is about: an article, a comment or a user, with its state before and after (None: a user)."""

    news_id: int | None = None
    comment_id: int | None = None
    user_id: int | None = None
    before: int | None = None
    after: int | None = None


@dataclass(frozen=True, kw_only=True)
class DecisionFilter:
    """Which decisions: all, or those with one value in one column (``news_id``, ``actor_id``, …)."""

    column: str | None = None
    value: int | str | None = None


def add_decision(session: Session, ruling: Ruling, subject: Subject, *, now: datetime) -> None:
    """Write a decision into the caller's transaction, so that it is audited if and only if it took place."""
    session.add(
        NewsDecision(
            decided_at=now,
            actor_id=ruling.actor_id,
            action=ruling.action.value,
            news_id=subject.news_id,
            comment_id=subject.comment_id,
            user_id=subject.user_id,
            reason=ruling.reason,
            status_before=subject.before,
            status_after=subject.after,
        )
    )
    DECISIONS.labels(ruling.action.value).inc()


def last_decisions(session: Session, column: str, ids: Sequence[int]) -> dict[int, NewsDecision]:
    """Return the last decision on each of some articles (``news_id``), comments or users, by its id."""
    of = getattr(NewsDecision, column)
    newest = select(func.max(NewsDecision.id)).where(of.in_(ids)).group_by(of)
    rows = session.scalars(select(NewsDecision).where(NewsDecision.id.in_(newest)))
    return {getattr(row, column): row for row in rows}


@dataclass(frozen=True)
class Decisions:
    """Reads decisions, the newest first."""

    database: Database

    def list_page(self, wanted: DecisionFilter, *, cursor: str | None, limit: int) -> KeysetPage[Row[*tuple[Any, ...]]]:
        """Return a page of decisions as rows of `NewsDecision`.

        Raises:
            RequestInvalid: the cursor is broken or belongs to another list.
        """
        name = ("decisions", wanted.column, wanted.value)
        values: dict[str, Any] = {"value": wanted.value, "limit": limit + 1}
        if (position := read_cursor(cursor, name)) is not None:
            values["item_id"] = position.item_id
        rows = self.database.read_rows(_page_form(wanted.column, is_continued=position is not None), values)
        return cut_page(rows, limit, name, lambda row: Position(0, row.id))


@cache  # Of 12 forms.
def _page_form(column: str | None, *, is_continued: bool) -> Select[*tuple[Any, ...]]:
    query = select(*_decisions)
    if column is not None:
        query = query.where(_decisions[column] == bindparam("value"))
    if is_continued:
        query = query.where(_decisions.id < bindparam("item_id"))
    return query.order_by(_decisions.id.desc()).limit(bindparam("limit"))
