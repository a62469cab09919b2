"""Everything of one user, hidden and brought back."""

from collections.abc import Callable

import pytest
from redis import Redis
from sqlalchemy import select

from chassis.database import Database, utc_now
from news_service.articles.tables import APPROVED, DRAFT, IN_REVIEW, REJECTED, WITHDRAWN, InfoNews
from news_service.articles.views import Views
from news_service.comments.tables import DELETED, HELD, HIDDEN, VISIBLE, InfoComment
from news_service.readers.tables import NewsNotice
from news_service.review.authors import AuthorReview, Progress
from news_service.review.decisions import Action, Ruling
from news_service.review.tables import NewsDecision

USER = 7
States = tuple[dict[int, int], dict[int, int]]


def decide(call, action: str, *, user_id: int = USER, **options):
    return call("POST", f"/review/users/{user_id}/decision", json={"action": action, "reason": "垃圾"}, **options)


@pytest.fixture
def states(database: Database) -> Callable[[], States]:
    """Read the states of all articles and comments."""

    def read() -> States:
        with database.read() as session:
            articles = session.execute(select(InfoNews.id, InfoNews.status)).all()
            comments = session.execute(select(InfoComment.id, InfoComment.status)).all()
        return {row.id: row.status for row in articles}, {row.id: row.status for row in comments}

    return read


@pytest.fixture
def written(add_article, add_comment) -> None:
    """Articles and comments of the user in every state, and those of somebody else."""
    for status in (APPROVED, IN_REVIEW, REJECTED, DRAFT, WITHDRAWN):
        add_article(status=status, user_id=USER)
    other = add_article(user_id=8)
    for status in (VISIBLE, HELD, HIDDEN, DELETED):
        add_comment(other, status=status, user_id=USER)
    add_comment(other, user_id=8)


def test_all_is_hidden_and_comes_back_as_it_was(call, written, states, database: Database) -> None:
    before = states()
    assert decide(call, "hide").json == {"changed": 4, "is_complete": True}
    articles, comments = states()
    assert articles == {1: WITHDRAWN, 2: REJECTED, 3: REJECTED, 4: DRAFT, 5: WITHDRAWN, 6: APPROVED}
    assert comments == {1: HIDDEN, 2: HIDDEN, 3: HIDDEN, 4: DELETED, 5: VISIBLE}
    assert decide(call, "hide").json == {"changed": 0, "is_complete": True}
    assert decide(call, "restore").json == {"changed": 4, "is_complete": True}
    assert states() == before
    with database.read() as session:
        decisions = session.scalars(select(NewsDecision).order_by(NewsDecision.id)).all()
        assert session.scalars(select(NewsNotice)).all() == []
    assert [(row.user_id, row.news_id, row.comment_id, row.action) for row in decisions] == [
        (7, None, None, "hide_author"),
        (None, 1, None, "hide_author"),
        (None, 2, None, "hide_author"),
        (None, None, 1, "hide_author"),
        (None, None, 2, "hide_author"),
        (7, None, None, "restore_author"),
        (None, 1, None, "restore_author"),
        (None, 2, None, "restore_author"),
        (None, None, 1, "restore_author"),
        (None, None, 2, "restore_author"),
    ]


def test_what_was_hidden_for_another_reason_stays_hidden(call, add_article, add_comment, states) -> None:
    article_id = add_article(user_id=8)
    comment_id = add_comment(article_id, user_id=USER)
    own = add_article(user_id=USER)
    body = {"action": "hide", "reason": "广告"}
    assert call("POST", f"/review/comments/{comment_id}/decision", json=body).status_code == 200
    body = {"action": "withdraw", "reason": "侵权", "version": 1}
    assert call("POST", f"/review/articles/{own}/decision", json=body).status_code == 200
    decide(call, "hide")
    assert decide(call, "restore").json["changed"] == 0
    assert states() == ({article_id: APPROVED, own: WITHDRAWN}, {comment_id: HIDDEN})


def test_an_article_that_was_edited_meanwhile_waits_for_its_review(
    call, add_article, states, database: Database
) -> None:
    article_id = add_article(user_id=USER)
    decide(call, "hide")
    with database.write() as session:
        article = session.get_one(InfoNews, article_id)
        article.version, article.update_time = 2, utc_now()
    decide(call, "restore")
    assert states()[0] == {article_id: IN_REVIEW}


def test_a_call_is_bounded_and_the_next_one_goes_on(
    add_article, add_comment, states, database: Database, redis: Redis
) -> None:
    views = Views(redis=redis, once_per_seconds=60)
    review = AuthorReview(database, views, batch=2, most_per_call=4)
    article_id = add_article(user_id=8)
    for _ in range(7):
        add_comment(article_id, user_id=USER)
    for action, made in ((Action.HIDE_AUTHOR, HIDDEN), (Action.RESTORE_AUTHOR, VISIBLE)):
        ruling = Ruling(action=action, actor_id=90, reason="垃圾")
        calls = [review.decide(USER, ruling) for _ in range(2)]
        assert calls == [Progress(4, is_complete=False), Progress(3, is_complete=True)]
        assert set(states()[1].values()) == {made}
    with database.read() as session:
        decisions = session.scalars(select(NewsDecision.action).where(NewsDecision.user_id == USER)).all()
    assert decisions == ["hide_author", "restore_author"]


def test_counts_follow(call, add_article, add_comment, database: Database) -> None:
    article_id = add_article(user_id=8, comment_count=3)
    root = add_comment(article_id, user_id=8, reply_count=2)
    for _ in range(2):
        add_comment(article_id, user_id=USER, parent_id=root, root_id=root)

    def counts() -> tuple[int, int]:
        with database.read() as session:
            article, comment = session.get_one(InfoNews, article_id), session.get_one(InfoComment, root)
            return article.comment_count, comment.reply_count

    decide(call, "hide")
    assert counts() == (1, 0)
    decide(call, "restore")
    assert counts() == (3, 2)


def test_a_ban_is_asked_for_and_found_by_administrators(call, add_article) -> None:
    assert decide(call, "ask_ban").json == {"changed": 0, "is_complete": True}
    answer = call("GET", "/review/decisions?action=ask_ban", user_id=91, roles=frozenset({"admin"}))
    (item,) = answer.json["items"]
    assert (item["user_id"], item["reason"], item["actor"]["id"]) == (USER, "垃圾", 90)


@pytest.mark.parametrize(("user_id", "status"), [(90, 403), (0, 404), (2**31, 404)])
def test_a_user_is_somebody_else(call, add_article, user_id: int, status: int) -> None:
    assert decide(call, "hide", user_id=user_id).status_code == status


def test_to_hide_or_to_ask_needs_a_reason(call) -> None:
    for action in ("hide", "ask_ban"):
        assert call("POST", "/review/users/7/decision", json={"action": action}).status_code == 422
