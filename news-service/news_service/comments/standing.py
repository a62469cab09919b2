"""How a comment comes to stand among the others: its state, the counts above it, and the notices that it causes.

Every change of a state happens here, in the caller's transaction, and under the lock of the article's row. So no two
changes below one article run at once, and the counts of the article and of a root cannot drift from their comments.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any  # Row tuples of several columns.

from sqlalchemy import Row, func, select, update
from sqlalchemy.orm import Session

from chassis.errors import NotFound
from news_service.articles.tables import InfoNews
from news_service.comments.tables import DELETED, HELD, VISIBLE, InfoComment
from news_service.readers.notices import Event, NoticeKind, add_notice


@dataclass(frozen=True)
class StatusChange:
    """The state of a comment before and after a change, its author and its article."""

    before: int
    after: int
    user_id: int
    news_id: int


def lock_article(session: Session, article_id: int) -> Row[*tuple[Any, ...]] | None:
    """Lock an article against other changes of its comments; None if there is none.

    The lock is of the kind that lets rows of other tables refer to the article meanwhile.
    """
    query = select(InfoNews.id, InfoNews.user_id, InfoNews.status, InfoNews.published_at)
    return session.execute(query.where(InfoNews.id == article_id).with_for_update(key_share=True)).one_or_none()


def change_status(
    session: Session, comment_id: int, status: int, *, now: datetime, reason: str | None = None
) -> StatusChange:
    """Bring a comment into a state (`VISIBLE`, `HELD`, `HIDDEN` or `DELETED`); reviews and authors do this.

    A held comment that becomes visible causes its notices. A deleted one loses its content for ever, and its state is
    final: such a comment is left as it is. ``reason`` (at most 256 characters) is shown to the author alone.

    Raises:
        NotFound: there is no such comment.
    """
    news_id = session.scalar(select(InfoComment.news_id).where(InfoComment.id == comment_id))
    if news_id is None:
        raise NotFound
    article = lock_article(session, news_id)
    query = select(InfoComment).where(InfoComment.id == comment_id).with_for_update(key_share=True)
    comment = session.scalars(query.execution_options(populate_existing=True)).one()
    before = comment.status
    change = StatusChange(before, before if before == DELETED else status, comment.user_id, news_id)
    if change.before == change.after:
        return change
    comment.status, comment.reason, comment.update_time = status, reason, now
    if status == DELETED:
        comment.content = ""
    comment.is_listed = status == VISIBLE or comment.reply_count > 0
    _count(session, comment, (status == VISIBLE) - (before == VISIBLE))
    if before == HELD and status == VISIBLE and article is not None:
        notify(session, comment, article_author_id=article.user_id, now=now)
    return change


def add_visible(session: Session, comment: InfoComment, *, article_author_id: int | None, now: datetime) -> None:
    """Count a new visible comment and cause its notices; the caller holds the article's lock."""
    _count(session, comment, 1)
    notify(session, comment, article_author_id=article_author_id, now=now)


def _count(session: Session, comment: InfoComment, added: int) -> None:
    if not added:
        return
    article = update(InfoNews).where(InfoNews.id == comment.news_id)
    session.execute(article.values(comment_count=InfoNews.comment_count + added))
    if not comment.root_id:
        return
    root = session.get_one(InfoComment, comment.root_id, with_for_update={"key_share": True}, populate_existing=True)
    root.reply_count += added
    root.is_listed = root.status == VISIBLE or root.reply_count > 0


def notify(session: Session, comment: InfoComment, *, article_author_id: int | None, now: datetime) -> None:
    """Tell the author of the answered comment, and the author of the article, unless they wrote it or are one person.

    Somebody whose comment is not visible any more is not told of answers to it.
    """
    answered = select(InfoComment.user_id).where(InfoComment.id == comment.parent_id, InfoComment.status == VISIBLE)
    told = {comment.user_id}
    for user_id, kind in ((session.scalar(answered), NoticeKind.REPLY), (article_author_id, NoticeKind.COMMENT)):
        if user_id is not None and user_id not in told:
            event = Event(kind=kind, at=now, news_id=comment.news_id, comment_id=comment.id, actor_id=comment.user_id)
            add_notice(session, user_id, event)
            told.add(user_id)


def count_visible_of(session: Session, user_id: int, *, most: int) -> int:
    """Count the visible comments of a user, up to a number."""
    some = select(InfoComment.id).where(InfoComment.user_id == user_id, InfoComment.status == VISIBLE).limit(most)
    return session.scalar(select(func.count()).select_from(some.subquery())) or 0
