"""Likes of comments."""

from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from chassis.database import Database
from news_service.comments.tables import DELETED, HELD, HIDDEN, InfoComment, InfoCommentLike

ADDRESS = "/api/v1/comments/1/like"


def _likes(database: Database) -> tuple[int, int]:
    """The likes of the first comment as they are counted, and as they are stored."""
    with database.read() as session:
        stored = session.scalar(select(func.count()).select_from(InfoCommentLike)) or 0
        return session.get_one(InfoComment, 1).like_count, stored


def test_a_like_counts_once_and_can_be_taken_back(sign_in, add_article, add_comment, database: Database) -> None:
    add_article()
    add_comment()
    for user_id in (8, 8, 9):
        assert sign_in(user_id).put(ADDRESS).status_code == 204
    assert _likes(database) == (2, 2)
    for _ in range(2):
        assert sign_in(8).delete(ADDRESS).status_code == 204
    assert _likes(database) == (1, 1)


@pytest.mark.parametrize("columns", [{"status": HELD}, {"status": HIDDEN}, {"status": DELETED}, {"news_id": 2}])
def test_only_what_the_public_sees_is_liked(sign_in, add_article, add_comment, database: Database, columns) -> None:
    add_article()
    add_article(status=3)
    add_comment(**columns)
    assert sign_in(8).put(ADDRESS).status_code == 404
    assert _likes(database) == (0, 0)


def test_a_like_of_a_hidden_comment_can_be_taken_back(sign_in, add_article, add_comment, database: Database) -> None:
    add_article()
    add_comment(status=HIDDEN, like_count=1)
    with database.write() as session:
        session.add(InfoCommentLike(comment_id=1, user_id=8))
    assert sign_in(8).delete(ADDRESS).status_code == 204
    assert _likes(database) == (0, 0)


@pytest.mark.any_database
@pytest.mark.parametrize("number", [0, 99, 10**20])
def test_likes_of_nothing(sign_in, number: int) -> None:
    assert sign_in(8).put(f"/api/v1/comments/{number}/like").status_code == 404
    assert sign_in(8).delete(f"/api/v1/comments/{number}/like").status_code == 204


def test_likes_at_once_are_counted_exactly(
    sign_in, add_article, add_comment, database: Database, at_once: Callable[..., list]
) -> None:
    add_article()
    add_comment()
    same, others = sign_in(8), [sign_in(user_id) for user_id in (9, 10, 11)]
    calls = [lambda: same.put(ADDRESS), lambda: same.put(ADDRESS), lambda: same.delete(ADDRESS)]
    calls += [lambda each=each: each.put(ADDRESS) for each in others]
    assert {answer.status_code for answer in at_once(*calls)} == {204}
    counted, stored = _likes(database)
    assert counted == stored
    assert stored in (3, 4)


@pytest.mark.any_database
def test_reactions_have_a_limit(make_app, settings, sign_in, called_by, add_article, add_comment) -> None:
    add_article()
    add_comment()
    limited = make_app(settings.model_copy(update={"reactions_per_user_per_minute": 2})).test_client()
    headers = called_by("news-service", user_id=8)
    answers = [limited.open(ADDRESS, method=method, headers=headers) for method in ("PUT", "DELETE", "PUT")]
    assert [answer.status_code for answer in answers] == [204, 204, 429]
