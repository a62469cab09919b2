"""Comments under review: the decision on one."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from chassis.database import Database, utc_now
from chassis.errors import Forbidden, NotFound, StateConflict
from news_service.articles.views import Views
from news_service.comments.standing import change_status, lock_article
from news_service.comments.tables import HELD, HIDDEN, VISIBLE, InfoComment
from news_service.readers.notices import Event, NoticeKind, add_notice
from news_service.review.decisions import Action, Ruling, Subject, add_decision
from news_service.tables import HIGHEST_ID

_MOVES = {
    Action.APPROVE: ({HELD}, VISIBLE),
    Action.HIDE: ({HELD, VISIBLE}, HIDDEN),
    Action.RESTORE: ({HIDDEN}, VISIBLE),
}
_NOTICES = {
    Action.APPROVE: NoticeKind.COMMENT_APPROVED,
    Action.HIDE: NoticeKind.COMMENT_HIDDEN,
    Action.RESTORE: NoticeKind.COMMENT_RESTORED,
}


@dataclass(frozen=True)
class CommentReview:
    """Decides on comments."""

    database: Database
    views: Views
    clock: Callable[[], datetime] = utc_now

    def decide(self, comment_id: int, ruling: Ruling) -> int:
        """Decide on a comment and return its state; a decision that stands already changes nothing.

        Raises:
            NotFound: there is no such comment.
            Forbidden: an editor decides on a comment of their own.
            StateConflict: the comment's state does not allow the action; its author may have deleted it.
        """
        allowed, made = _MOVES[ruling.action]
        now = self.clock()
        with self.database.write() as session:
            query = select(InfoComment.news_id, InfoComment.user_id, InfoComment.status)
            query = query.where(InfoComment.id == min(comment_id, HIGHEST_ID))
            found = session.execute(query).one_or_none()
            if found is None or comment_id > HIGHEST_ID:
                raise NotFound
            if found.user_id == ruling.actor_id and not ruling.is_admin:
                raise Forbidden("Another reviewer decides on what you wrote.")
            lock_article(session, found.news_id)  # From here on, no state of a comment of this article changes.
            status = session.execute(query).one().status
            if status == made:
                return made
            if status not in allowed:
                raise StateConflict
            change = change_status(session, comment_id, made, now=now, reason=_shown_reason(ruling))
            subject = Subject(comment_id=comment_id, before=change.before, after=change.after)
            add_decision(session, ruling, subject, now=now)
            if change.user_id != ruling.actor_id:
                event = Event(
                    kind=_NOTICES[ruling.action],
                    at=now,
                    news_id=change.news_id,
                    comment_id=comment_id,
                    reason=ruling.reason,
                )
                add_notice(session, change.user_id, event)
        self.views.score_again(change.news_id)
        return made


def _shown_reason(ruling: Ruling) -> str | None:
    return ruling.reason if ruling.action is Action.HIDE else None
