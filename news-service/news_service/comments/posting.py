"""Writing and deleting comments."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.database import Database, utc_now
from chassis.errors import FieldError, NotFound, RequestInvalid
from news_service.articles.tables import APPROVED
from news_service.articles.views import Views
from news_service.comments.spam import SpamGuard
from news_service.comments.standing import add_visible, change_status, count_visible_of, lock_article
from news_service.comments.tables import DELETED, HELD, VISIBLE, InfoComment, ReviewPolicy
from news_service.review.word_list import Verdict, WordList
from news_service.tables import HIGHEST_ID

FIRST_COMMENTS = 3
"""Under `ReviewPolicy.FIRST`, an account's comments are held until so many of them are visible."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A comment to be written: its text as it will be shown, and the comment that it answers."""

    user_id: int
    news_id: int
    content: str
    parent_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class Posting:
    """Writes comments and deletes them for their authors."""

    database: Database
    guard: SpamGuard
    words: WordList
    policy: ReviewPolicy
    views: Views
    clock: Callable[[], datetime] = utc_now

    def post(self, draft: Draft, *, ip: str) -> int:
        """Write a comment and return its id; it is visible at once, or held for a review.

        Raises:
            NotFound: the public may not read the article.
            RequestInvalid: the word list refuses the text, or the answered comment is not to be seen on this article.
            XinjingError: as `SpamGuard.admit_text`.
        """
        verdict = self.words.check(draft.content)
        if verdict is Verdict.REFUSE:
            raise _wrong("content", "content_refused", "This text has words that this site does not publish.")
        if not 0 < draft.news_id <= HIGHEST_ID:
            raise NotFound
        with self.guard.admit_text(draft.user_id, draft.content, ip=ip), self.database.write() as session:
            comment = self._write(session, draft, verdict)
        if comment.status == VISIBLE:
            self.views.score_again(comment.news_id)
        return comment.id

    def delete(self, comment_id: int, *, user_id: int) -> None:
        """Delete a user's own comment; nothing happens if it is deleted already.

        Raises:
            NotFound: the user has no such comment.
        """
        with self.database.write() as session:
            author = select(InfoComment.user_id).where(InfoComment.id == comment_id)
            if comment_id > HIGHEST_ID or session.scalar(author) != user_id:
                raise NotFound
            change = change_status(session, comment_id, DELETED, now=self.clock())
        if change.before == VISIBLE:
            self.views.score_again(change.news_id)

    def _write(self, session: Session, draft: Draft, verdict: Verdict) -> InfoComment:
        now = self.clock()
        article = lock_article(session, draft.news_id)
        if article is None or article.status != APPROVED or article.published_at > now:
            raise NotFound
        status = HELD if verdict is Verdict.HOLD or self._waits_for_review(session, draft.user_id) else VISIBLE
        comment = InfoComment(
            create_time=now,
            update_time=now,
            user_id=draft.user_id,
            news_id=draft.news_id,
            content=draft.content,
            parent_id=draft.parent_id,
            root_id=_root_of(session, draft),
            status=status,
            reply_count=0,
            is_listed=status == VISIBLE,
        )
        session.add(comment)
        session.flush()
        if status == VISIBLE:
            add_visible(session, comment, article_author_id=article.user_id, now=now)
        return comment

    def _waits_for_review(self, session: Session, user_id: int) -> bool:
        if self.policy is ReviewPolicy.FIRST:
            return count_visible_of(session, user_id, most=FIRST_COMMENTS) < FIRST_COMMENTS
        return self.policy is ReviewPolicy.ALL


def _root_of(session: Session, draft: Draft) -> int:
    """Return the root that an answer stands below, or 0 for a comment that answers none."""
    if draft.parent_id is None:
        return 0
    query = select(InfoComment.root_id).where(
        InfoComment.id == draft.parent_id, InfoComment.news_id == draft.news_id, InfoComment.status == VISIBLE
    )
    root_id = session.scalar(query)
    if root_id is None:
        raise _wrong("parent_id", "parent_missing", "There is no such comment on this article.")
    return root_id or draft.parent_id


def _wrong(field: str, code: str, detail: str) -> RequestInvalid:
    return RequestInvalid(errors=[FieldError(field, code, detail)])
