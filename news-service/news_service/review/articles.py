"""Articles under review: what a reviewer reads of one, and the decision on it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any  # Rows of differing columns.

from sqlalchemy import Row, Select, bindparam, func, select
from sqlalchemy.orm import Session

from chassis.database import Database, utc_now
from chassis.errors import EditConflict, Forbidden, NotFound, StateConflict
from news_service.articles.tables import APPROVED, DRAFT, REJECTED, WITHDRAWN, InfoNews
from news_service.readers.notices import Event, NoticeKind, add_notice
from news_service.review.decisions import (
    HISTORY,
    Action,
    DecisionFilter,
    Decisions,
    Ruling,
    Subject,
    add_decision,
    last_decisions,
)
from news_service.tables import HIGHEST_ID
from news_service.writing.states import MOVES, Move, locked_article, move_article

MOST_COUNTED = 1000
_news = InfoNews.__table__.c
_MOVES = {
    Action.APPROVE: Move.APPROVE,
    Action.REJECT: Move.REJECT,
    Action.WITHDRAW: Move.WITHDRAW,
    Action.RESTORE: Move.RESTORE,
}
_NOTICES = {
    Action.APPROVE: NoticeKind.ARTICLE_APPROVED,
    Action.REJECT: NoticeKind.ARTICLE_REJECTED,
    Action.WITHDRAW: NoticeKind.ARTICLE_WITHDRAWN,
    Action.RESTORE: NoticeKind.ARTICLE_RESTORED,
}
_ARTICLE = select(*_news).where(_news.id == bindparam("article_id"), _news.status != DRAFT)


def _count(status: int) -> Any:
    some = select(_news.id).where(_news.user_id == bindparam("user_id"), _news.status == status).limit(MOST_COUNTED)
    return select(func.count()).select_from(some.subquery()).scalar_subquery()


_RECORD: Select[*tuple[Any, ...]] = select(_count(APPROVED).label("approved"), _count(REJECTED).label("rejected"))


@dataclass(frozen=True)
class AuthorRecord:
    """How many articles of an author are approved and rejected, each counted up to 1000."""

    approved: int = 0
    rejected: int = 0


@dataclass(frozen=True)
class ReviewedArticle:
    """An article as a row of `InfoNews`, its newest 50 decisions as rows of `NewsDecision`, and its author's record."""

    row: Row[*tuple[Any, ...]]
    decisions: Sequence[Row[*tuple[Any, ...]]]
    record: AuthorRecord


@dataclass(frozen=True)
class Outcome:
    """The state and the version of an article after a decision."""

    status: int
    version: int


@dataclass(frozen=True)
class ArticleReview:
    """Reads articles for reviewers, and decides on them."""

    database: Database
    clock: Callable[[], datetime] = utc_now

    def article_by_id(self, article_id: int) -> ReviewedArticle:
        """Return an article in any state but that of a draft.

        Raises:
            NotFound: there is none.
        """
        if not 0 < article_id <= HIGHEST_ID:
            raise NotFound
        rows = self.database.read_rows(_ARTICLE, {"article_id": article_id})
        if not rows:
            raise NotFound
        wanted = DecisionFilter(column="news_id", value=article_id)
        decisions = Decisions(self.database).list_page(wanted, cursor=None, limit=HISTORY).items
        return ReviewedArticle(rows[0], decisions, self._record(rows[0].user_id))

    def _record(self, author_id: int | None) -> AuthorRecord:
        if author_id is None:
            return AuthorRecord()
        (row,) = self.database.read_rows(_RECORD, {"user_id": author_id})
        return AuthorRecord(row.approved, row.rejected)

    def decide(self, article_id: int, ruling: Ruling, *, version: int) -> Outcome:
        """Decide on an article as it was in a version; a decision that stands already changes nothing.

        Raises:
            NotFound: there is no article that is to be reviewed.
            Forbidden: an editor decides on an article of their own. (An administrator may: a site may have one only.)
            EditConflict: the article has another version now.
            StateConflict: the article's state does not allow the action, or its author took it back.
        """
        now, move = self.clock(), _MOVES[ruling.action]
        with self.database.write() as session:
            article = locked_article(session, article_id)
            if article.status == DRAFT:
                raise NotFound
            if article.user_id == ruling.actor_id and not ruling.is_admin:
                raise Forbidden("Another reviewer decides on what you wrote.")
            if article.version != version:
                raise EditConflict
            if article.status in MOVES[move].values():
                return Outcome(article.status, article.version)
            if move is Move.RESTORE and not _was_taken_down(session, article):
                raise StateConflict("No reviewer took this article down.")
            rule_on_article(session, article, move, ruling, now=now)
            if article.user_id not in (None, ruling.actor_id):
                event = Event(kind=_NOTICES[ruling.action], at=now, news_id=article.id, reason=ruling.reason)
                add_notice(session, article.user_id, event)
        return Outcome(article.status, article.version)


def rule_on_article(session: Session, article: InfoNews, move: Move, ruling: Ruling, *, now: datetime) -> None:
    """Move a locked article and write the decision; the reason stays with an article that is not public.

    Raises:
        StateConflict: the move is not possible in the article's state.
    """
    before = article.status
    move_article(session, article, move, now=now)
    article.update_time = now
    article.reason = ruling.reason if article.status in (REJECTED, WITHDRAWN) else None
    add_decision(session, ruling, Subject(news_id=article.id, before=before, after=article.status), now=now)


def _was_taken_down(session: Session, article: InfoNews) -> bool:
    """Say whether reviewers took a withdrawn article down, and not its author."""
    last = last_decisions(session, "news_id", [article.id]).get(article.id)
    return last is not None and last.status_after == article.status
