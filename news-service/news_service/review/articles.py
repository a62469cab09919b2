"""Articles under review: what a reviewer reads of one, and the decision on it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any  # Rows of differing columns.

from sqlalchemy import Row, Select, bindparam, func, select, update
from sqlalchemy.orm import Session

from chassis.database import Database, utc_now
from chassis.errors import ArticleChanged, DecisionRefused, Forbidden, NotFound
from news_service.articles.articles import HIGHEST_ID
from news_service.articles.ranking import add_views
from news_service.articles.tables import APPROVED, DRAFT, IN_REVIEW, REJECTED, WITHDRAWN, InfoNews
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
from news_service.review.tables import NewsDecision

MOST_COUNTED = 1000
_news = InfoNews.__table__.c
# What each action needs and makes. Nobody reviews a draft.
_MOVES = {
    Action.APPROVE: (IN_REVIEW, APPROVED),
    Action.REJECT: (IN_REVIEW, REJECTED),
    Action.WITHDRAW: (APPROVED, WITHDRAWN),
    Action.RESTORE: (WITHDRAWN, APPROVED),
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

        An article that the public has not seen before appears at the moment of its approval, or later if its author
        chose so. A restored or edited one keeps its place in the lists.

        Raises:
            NotFound: there is no article that is to be reviewed.
            Forbidden: an editor decides on an article of their own. (An administrator may: a site may have one only.)
            ArticleChanged: the article has another version now.
            DecisionRefused: the article's state does not allow the action, or its author took it back.
        """
        with self.database.write() as session:
            article = _lock_article(session, article_id)
            if article.user_id == ruling.actor_id and not ruling.is_admin:
                raise Forbidden("Another reviewer decides on what you wrote.")
            if article.version != version:
                raise ArticleChanged
            needed, made = _MOVES[ruling.action]
            if article.status == made:
                return Outcome(article.status, article.version)
            if article.status != needed or (ruling.action is Action.RESTORE and not _was_taken_down(session, article)):
                raise DecisionRefused
            self._move(session, article, ruling)
        return Outcome(made, version)

    def _move(self, session: Session, article: Row[*tuple[Any, ...]], ruling: Ruling) -> None:
        now, made = self.clock(), _MOVES[ruling.action][1]
        values = {"status": made, "update_time": now, "reason": None if made == APPROVED else ruling.reason}
        if ruling.action is Action.APPROVE and not _was_public(session, article):
            values["published_at"] = max(article.published_at, now)
        session.execute(update(InfoNews).where(InfoNews.id == article.id).values(values))
        add_views(session, {article.id: 0})  # The score follows the moment of publication.
        add_decision(session, ruling, Subject(news_id=article.id, before=article.status, after=made), now=now)
        if article.user_id not in (None, ruling.actor_id):
            event = Event(kind=_NOTICES[ruling.action], at=now, news_id=article.id, reason=ruling.reason)
            add_notice(session, article.user_id, event)


def _lock_article(session: Session, article_id: int) -> Row[*tuple[Any, ...]]:
    columns = (_news.id, _news.user_id, _news.status, _news.version, _news.published_at, _news.clicks)
    query = select(*columns).where(_news.id == article_id, _news.status != DRAFT)
    row = session.execute(query.with_for_update(key_share=True)).one_or_none() if article_id <= HIGHEST_ID else None
    if row is None:
        raise NotFound
    return row


def _was_taken_down(session: Session, article: Row[*tuple[Any, ...]]) -> bool:
    """Say whether reviewers took a withdrawn article down, and not its author."""
    last = last_decisions(session, "news_id", [article.id]).get(article.id)
    return last is not None and last.status_after == WITHDRAWN


def _was_public(session: Session, article: Row[*tuple[Any, ...]]) -> bool:
    """Say whether people may have read an article before: it was approved here, or came with its clicks."""
    approved = select(NewsDecision.id).where(NewsDecision.news_id == article.id, NewsDecision.status_after == APPROVED)
    return article.clicks > 0 or session.scalar(approved.limit(1)) is not None
