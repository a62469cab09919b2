"""Everything that one user wrote, hidden by one decision or brought back by another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any  # Rows of differing columns.

from sqlalchemy import Row, Select, bindparam, select
from sqlalchemy.orm import Session

from chassis.database import Database, utc_now
from chassis.errors import Forbidden, NotFound
from news_service.articles.tables import APPROVED, IN_REVIEW, REJECTED, WITHDRAWN, InfoNews
from news_service.articles.views import Views
from news_service.comments.standing import change_status
from news_service.comments.tables import HELD, HIDDEN, VISIBLE, InfoComment
from news_service.review.articles import rule_on_article
from news_service.review.decisions import Action, Ruling, Subject, add_decision, last_decisions
from news_service.review.tables import NewsDecision
from news_service.tables import HIGHEST_ID
from news_service.writing.states import Move, locked_article

Rows = Sequence[Row[*tuple[Any, ...]]]


@dataclass(frozen=True)
class Progress:
    """How many articles and comments a call changed, and whether that were all; else the call is made again."""

    changed: int
    is_complete: bool


@dataclass(frozen=True)
class AuthorReview:
    """Decides on everything of a user. Rows change ``batch`` by ``batch``, each in a transaction of its own.

    A call ends when about ``most_per_call`` rows have changed. It can be repeated, also after a crash: what is done is
    found done.
    """

    database: Database
    views: Views
    batch: int = 50
    most_per_call: int = 1000
    clock: Callable[[], datetime] = utc_now

    def decide(self, user_id: int, ruling: Ruling) -> Progress:
        """Hide what a user wrote (`HIDE_AUTHOR`), bring it back (`RESTORE_AUTHOR`), or ask for a ban (`ASK_BAN`).

        Public articles are withdrawn, and those that wait for a review rejected. Only what `HIDE_AUTHOR` hid comes
        back, to the state that it had; an article that was edited meanwhile waits for a review. The user gets no
        notices.

        Raises:
            NotFound: no user can have this id.
            Forbidden: the user is the one who decides.
        """
        if not 0 < user_id <= HIGHEST_ID:
            raise NotFound
        if user_id == ruling.actor_id:
            raise Forbidden("Nobody decides on themselves.")
        with self.database.write() as session:
            last = last_decisions(session, "user_id", [user_id]).get(user_id)
            if last is None or last.action != ruling.action:  # A repeated call goes on with the same decision.
                add_decision(session, ruling, Subject(user_id=user_id), now=self.clock())
        changed = 0
        for step in _STEPS[ruling.action]:
            changed += self._walk(step, user_id, ruling, most=self.most_per_call - changed)
        return Progress(changed, is_complete=changed < self.most_per_call)

    def _walk(self, step: "_Step", user_id: int, ruling: Ruling, *, most: int) -> int:
        changed, last_id = 0, 0
        while changed < most:
            with self.database.write() as session:
                rows = session.execute(step.rows, {"user_id": user_id, "last_id": last_id, "limit": self.batch}).all()
                article_ids = step.change(session, rows, ruling, self.clock())
            for article_id in article_ids:
                self.views.score_again(article_id)
            changed += len(article_ids)
            if len(rows) < self.batch:
                break
            last_id = rows[-1].id
        return changed


def _hide_articles(session: Session, rows: Rows, ruling: Ruling, now: datetime) -> list[int]:
    for row in rows:
        article = locked_article(session, row.id)
        if article.status in (APPROVED, IN_REVIEW):
            move = Move.WITHDRAW if article.status == APPROVED else Move.REJECT
            rule_on_article(session, article, move, ruling, now=now)
    return [row.id for row in rows]


def _restore_articles(session: Session, rows: Rows, ruling: Ruling, now: datetime) -> list[int]:
    hidden = _hidden_by_author(session, "news_id", rows)
    restored = []
    for article_id in sorted(hidden):
        article, decision = locked_article(session, article_id), hidden[article_id]
        if article.status == decision.status_after:
            was_public = article.status == WITHDRAWN and article.update_time == decision.decided_at
            rule_on_article(session, article, Move.RESTORE if was_public else Move.SUBMIT, ruling, now=now)
            restored.append(article_id)
    return restored


def _hide_comments(session: Session, rows: Rows, ruling: Ruling, now: datetime) -> list[int]:
    return _move_comments(session, rows, {row.id: HIDDEN for row in rows}, ruling, now)


def _restore_comments(session: Session, rows: Rows, ruling: Ruling, now: datetime) -> list[int]:
    hidden = _hidden_by_author(session, "comment_id", rows)
    return _move_comments(
        session, rows, {each: of.status_before or VISIBLE for each, of in hidden.items()}, ruling, now
    )


def _move_comments(session: Session, rows: Rows, states: dict[int, int], ruling: Ruling, now: datetime) -> list[int]:
    article_ids = []
    reason = ruling.reason if ruling.action is Action.HIDE_AUTHOR else None
    # In the order of the articles, whose rows are locked; two such calls cannot block each other for ever.
    for row in sorted((row for row in rows if row.id in states), key=lambda row: (row.news_id, row.id)):
        change = change_status(session, row.id, states[row.id], now=now, reason=reason)
        if change.before != change.after:
            subject = Subject(comment_id=row.id, before=change.before, after=change.after)
            add_decision(session, ruling, subject, now=now)
            article_ids.append(row.news_id)
    return article_ids


def _hidden_by_author(session: Session, column: str, rows: Rows) -> dict[int, NewsDecision]:
    last = last_decisions(session, column, [row.id for row in rows])
    return {each: decision for each, decision in last.items() if decision.action == Action.HIDE_AUTHOR}


@dataclass(frozen=True)
class _Step:
    """Which rows of a user a decision concerns, and what it does to them; it returns the ids of changed articles."""

    rows: Select[*tuple[Any, ...]]
    change: Callable[[Session, Rows, Ruling, datetime], list[int]]


def _articles(*states: int) -> Select[*tuple[Any, ...]]:
    return _page(select(InfoNews.id).where(InfoNews.status.in_(states)), InfoNews)


def _comments(*states: int) -> Select[*tuple[Any, ...]]:
    return _page(select(InfoComment.id, InfoComment.news_id).where(InfoComment.status.in_(states)), InfoComment)


def _page(query: Select[*tuple[Any, ...]], model: type[InfoNews] | type[InfoComment]) -> Select[*tuple[Any, ...]]:
    query = query.where(model.user_id == bindparam("user_id"), model.id > bindparam("last_id"))
    return query.order_by(model.id).limit(bindparam("limit"))


_STEPS = {
    Action.HIDE_AUTHOR: (
        _Step(_articles(APPROVED, IN_REVIEW), _hide_articles),
        _Step(_comments(VISIBLE, HELD), _hide_comments),
    ),
    Action.RESTORE_AUTHOR: (
        _Step(_articles(WITHDRAWN, REJECTED), _restore_articles),
        _Step(_comments(HIDDEN), _restore_comments),
    ),
    Action.ASK_BAN: (),
}
