from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from chassis.database import Database
from chassis.errors import NotFound, StateConflict
from news_service.articles.articles import Articles
from news_service.articles.tables import APPROVED, DRAFT, IN_REVIEW, REJECTED, WITHDRAWN, InfoNews
from news_service.writing.states import MOVES, STATE_NAMES, UNPUBLISHED, Move, locked_article, move_article

ALLOWED = {
    (Move.SUBMIT, DRAFT): IN_REVIEW,
    (Move.SUBMIT, REJECTED): IN_REVIEW,
    (Move.SUBMIT, WITHDRAWN): IN_REVIEW,
    (Move.SUBMIT, IN_REVIEW): IN_REVIEW,
    (Move.TAKE_BACK, IN_REVIEW): DRAFT,
    (Move.TAKE_BACK, DRAFT): DRAFT,
    (Move.EDIT, APPROVED): IN_REVIEW,
    (Move.APPROVE, IN_REVIEW): APPROVED,
    (Move.REJECT, IN_REVIEW): REJECTED,
    (Move.WITHDRAW, APPROVED): WITHDRAWN,
    (Move.WITHDRAW, WITHDRAWN): WITHDRAWN,
    (Move.RESTORE, WITHDRAWN): APPROVED,
    **{(Move.EDIT, state): state for state in (DRAFT, IN_REVIEW, REJECTED, WITHDRAWN)},
    **{(Move.CORRECT, state): state for state in STATE_NAMES},
}


@pytest.fixture
def move(database: Database, add_article: Callable[..., int], now: datetime) -> Callable[..., InfoNews]:
    """Move a new article, and return its row."""

    def move(move: Move, **columns: object) -> InfoNews:
        article_id = add_article(**columns)
        with database.write() as session:
            move_article(session, locked_article(session, article_id), move, now=now)
        with database.read() as session:
            return session.get_one(InfoNews, article_id)

    return move


@pytest.mark.any_database
@pytest.mark.parametrize("state", STATE_NAMES)
@pytest.mark.parametrize("kind", Move)
def test_only_the_moves_of_the_table_are_possible(move: Callable[..., InfoNews], kind: Move, state: int) -> None:
    if (kind, state) in ALLOWED:
        assert move(kind, status=state).status == ALLOWED[kind, state]
    else:
        with pytest.raises(StateConflict):
            move(kind, status=state)


def test_only_approval_and_restoring_make_an_article_public() -> None:
    publishing = {kind for kind, moves in MOVES.items() if APPROVED in set(moves.values())}
    assert publishing == {Move.APPROVE, Move.CORRECT, Move.RESTORE}
    assert [before for before, after in MOVES[Move.CORRECT].items() if after == APPROVED] == [APPROVED]


def test_a_first_approval_publishes_now(move: Callable[..., InfoNews], articles: Articles, now: datetime) -> None:
    row = move(Move.APPROVE, status=IN_REVIEW, published_at=UNPUBLISHED)
    assert row.published_at == now
    assert row.hot_score > 0
    assert [each.id for each in articles.list_newest(category_id=None, cursor=None, limit=9).items] == [row.id]


@pytest.mark.parametrize("days", [-3, 3])
def test_a_chosen_moment_and_an_earlier_publication_stay(
    move: Callable[..., InfoNews], articles: Articles, now: datetime, days: int
) -> None:
    moment = now + timedelta(days=days)
    row = move(Move.APPROVE, status=IN_REVIEW, published_at=moment)
    assert row.published_at == moment
    assert len(articles.list_newest(category_id=None, cursor=None, limit=9).items) == (days < 0)


@pytest.mark.any_database
def test_a_repeated_submission_keeps_its_place_in_the_queue(move: Callable[..., InfoNews], now: datetime) -> None:
    earlier = now - timedelta(days=1)
    assert move(Move.SUBMIT, status=IN_REVIEW, submitted_at=earlier).submitted_at == earlier
    assert move(Move.SUBMIT, status=REJECTED, submitted_at=earlier).submitted_at == now


@pytest.mark.any_database
@pytest.mark.parametrize("article_id", [0, -1, 7, 2**31, 10**30])
def test_no_article_is_404(database: Database, article_id: int) -> None:
    with database.write() as session, pytest.raises(NotFound):
        locked_article(session, article_id)
