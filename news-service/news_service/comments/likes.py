"""Likes of comments."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from chassis.database import Database, utc_now
from chassis.errors import NotFound
from news_service.articles.tables import APPROVED, InfoNews
from news_service.comments.tables import VISIBLE, InfoComment, InfoCommentLike
from news_service.tables import HIGHEST_ID


@dataclass(frozen=True)
class Likes:
    """Sets and takes back likes; each may be done again without effect."""

    database: Database
    clock: Callable[[], datetime] = utc_now

    def add(self, comment_id: int, *, user_id: int) -> None:
        """Let a user like a visible comment of a public article.

        Raises:
            NotFound: there is no such comment.
        """
        now = self.clock()
        with self.database.write() as session:
            if not _lock_comment(session, comment_id, now):
                raise NotFound
            if session.get(InfoCommentLike, (comment_id, user_id)) is None:
                like = InfoCommentLike(comment_id=comment_id, user_id=user_id, create_time=now, update_time=now)
                session.add(like)
                _count(session, comment_id, 1)

    def remove(self, comment_id: int, *, user_id: int) -> None:
        """Take a like back, also from a comment that nobody sees any more; nothing happens if there is none."""
        if comment_id > HIGHEST_ID:
            return
        with self.database.write() as session:
            session.execute(select(InfoComment.id).where(InfoComment.id == comment_id).with_for_update(key_share=True))
            own = (InfoCommentLike.comment_id == comment_id, InfoCommentLike.user_id == user_id)
            if session.execute(delete(InfoCommentLike).where(*own)).rowcount:  # type: ignore[attr-defined]
                _count(session, comment_id, -1)


def _lock_comment(session: Session, comment_id: int, now: datetime) -> bool:
    """Lock a comment that the public may see; a shared lock by its key alone would let two likes block each other."""
    query = (
        select(InfoComment.id)
        .join(InfoNews, InfoNews.id == InfoComment.news_id)
        .where(InfoComment.id == comment_id, InfoComment.status == VISIBLE)
        .where(InfoNews.status == APPROVED, InfoNews.published_at <= now)
        .with_for_update(of=InfoComment, key_share=True)
    )
    return comment_id <= HIGHEST_ID and session.scalar(query) is not None


def _count(session: Session, comment_id: int, added: int) -> None:
    comment = update(InfoComment).where(InfoComment.id == comment_id)
    session.execute(comment.values(like_count=InfoComment.like_count + added))
