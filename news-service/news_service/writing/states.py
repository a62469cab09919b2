"""The states of an article and the moves between them, in one table. Every change of a state goes through here."""

import enum
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from chassis.errors import NotFound, StateConflict
from news_service.articles.ranking import add_views
from news_service.articles.tables import APPROVED, DRAFT, IN_REVIEW, REJECTED, WITHDRAWN, InfoNews
from news_service.search.index import index_articles
from news_service.tables import HIGHEST_ID

STATE_NAMES = {
    APPROVED: "approved",
    IN_REVIEW: "in_review",
    REJECTED: "rejected",
    DRAFT: "draft",
    WITHDRAWN: "withdrawn",
}
UNPUBLISHED = datetime(9999, 12, 31, tzinfo=UTC)
"""The ``published_at`` of an article that was never approved, and has no moment of its own: nobody can read it."""


class Move(enum.StrEnum):
    """What happens to an article."""

    SUBMIT = "submit"  # The author asks for a review.
    TAKE_BACK = "take_back"  # The author asks for none any more.
    EDIT = "edit"  # The author changes it.
    CORRECT = "correct"  # An editor changes it.
    APPROVE = "approve"  # An editor lets it out.
    REJECT = "reject"  # An editor does not.
    WITHDRAW = "withdraw"  # The author, or an editor, takes it down.
    RESTORE = "restore"  # An editor brings back what an editor took down.


# From which state to which. An author's move that leads nowhere new is a repetition, and harmless; a second decision
# of an editor is not, because another editor's may stand between.
MOVES: dict[Move, dict[int, int]] = {
    Move.SUBMIT: {DRAFT: IN_REVIEW, REJECTED: IN_REVIEW, WITHDRAWN: IN_REVIEW, IN_REVIEW: IN_REVIEW},
    Move.TAKE_BACK: {IN_REVIEW: DRAFT, DRAFT: DRAFT},
    Move.EDIT: {
        DRAFT: DRAFT,
        IN_REVIEW: IN_REVIEW,
        REJECTED: REJECTED,
        WITHDRAWN: WITHDRAWN,
        APPROVED: IN_REVIEW,
    },
    Move.CORRECT: {state: state for state in STATE_NAMES},
    Move.APPROVE: {IN_REVIEW: APPROVED},
    Move.REJECT: {IN_REVIEW: REJECTED},
    Move.WITHDRAW: {APPROVED: WITHDRAWN, WITHDRAWN: WITHDRAWN},
    Move.RESTORE: {WITHDRAWN: APPROVED},
}


def locked_article(session: Session, article_id: int) -> InfoNews:
    """Return an article in any state, locked against other changes until the transaction ends.

    Raises:
        NotFound: there is none.
    """
    article = session.get(InfoNews, article_id, with_for_update=True) if 0 < article_id <= HIGHEST_ID else None
    if article is None:
        raise NotFound
    return article


def move_article(session: Session, article: InfoNews, move: Move, *, now: datetime) -> bool:
    """Move a locked article to its next state, and say whether that is another one.

    A first approval publishes it now, unless its author chose a later moment. The search follows in the same
    transaction, also when only the texts of a public article changed.

    Raises:
        StateConflict: the move is not possible in the article's state.
    """
    before, after = article.status, MOVES[move].get(article.status)
    if after is None:
        raise StateConflict(f"This is not possible while the article is {STATE_NAMES[before].replace('_', ' ')}.")
    article.status = after
    if after == IN_REVIEW and before != IN_REVIEW:
        article.submitted_at = now
    if move is Move.APPROVE:
        if article.published_at == UNPUBLISHED:
            article.published_at = now
        session.flush()
        add_views(session, {article.id: 0})  # Its place in the hot list depends on that moment.
    if APPROVED in (before, after):
        index_articles(session, [article.id])
    return after != before
