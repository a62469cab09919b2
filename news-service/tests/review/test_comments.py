"""Decisions on comments."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import select

from chassis.database import Database
from news_service.articles.tables import InfoNews
from news_service.comments.tables import DELETED, HELD, HIDDEN, VISIBLE, InfoComment
from news_service.readers.tables import NewsNotice
from news_service.review.tables import NewsDecision


def decide(call, comment_id: int, action: str, *, reason: str | None = "广告", **options):
    body = {"action": action, "reason": reason}
    return call("POST", f"/review/comments/{comment_id}/decision", json=body, **options)


@pytest.fixture
def stored(database: Database) -> Callable[..., InfoComment]:
    """Read one comment as it is stored."""

    def read(comment_id: int) -> InfoComment:
        with database.read() as session:
            return session.get_one(InfoComment, comment_id)

    return read


@pytest.mark.parametrize(
    ("action", "before", "after", "state"),
    [
        ("approve", HELD, VISIBLE, "visible"),
        ("hide", VISIBLE, HIDDEN, "hidden"),
        ("hide", HELD, HIDDEN, "hidden"),
        ("restore", HIDDEN, VISIBLE, "visible"),
    ],
)
def test_a_decision_moves_the_comment_is_audited_and_told(
    call, add_article, add_comment, stored, database: Database, action: str, before: int, after: int, state: str
) -> None:
    comment_id = add_comment(add_article(user_id=6), user_id=7, status=before)
    answers = [decide(call, comment_id, action).json for _ in range(2)]
    assert answers == [{"id": comment_id, "status": state}] * 2
    assert (stored(comment_id).status, stored(comment_id).is_listed) == (after, after == VISIBLE)
    assert stored(comment_id).reason == ("广告" if action == "hide" else None)
    with database.read() as session:
        decision = session.scalars(select(NewsDecision)).one()
        notice = session.scalars(select(NewsNotice).where(NewsNotice.user_id == 7)).one()
    assert (decision.comment_id, decision.actor_id, decision.action, decision.reason) == (
        comment_id,
        90,
        action,
        "广告",
    )
    assert (decision.status_before, decision.status_after) == (before, after)
    assert (notice.comment_id, notice.reason, notice.actor_id) == (comment_id, "广告", None)


@pytest.mark.parametrize(
    ("action", "status"),
    [("approve", HIDDEN), ("restore", HELD), ("approve", DELETED), ("hide", DELETED), ("restore", DELETED)],
)
def test_a_state_that_does_not_allow_the_action_stays(
    call, add_article, add_comment, stored, action: str, status: int
) -> None:
    comment_id = add_comment(add_article(), status=status)
    answer = decide(call, comment_id, action)
    assert (answer.status_code, answer.json["code"]) == (409, "state_conflict")
    assert stored(comment_id).status == status


def test_to_hide_needs_a_reason(call, add_article, add_comment, stored) -> None:
    comment_id = add_comment(add_article())
    assert decide(call, comment_id, "hide", reason=None).status_code == 422
    assert stored(comment_id).status == VISIBLE


@pytest.mark.parametrize("comment_id", [0, 99, 99999999999])
def test_there_must_be_a_comment(call, add_article, comment_id: int) -> None:
    assert decide(call, comment_id, "hide").status_code == 404


def test_an_editor_does_not_decide_on_a_comment_of_their_own(call, add_article, add_comment, stored) -> None:
    comment_id = add_comment(add_article(), user_id=90, status=HELD)
    assert decide(call, comment_id, "approve").status_code == 403
    assert stored(comment_id).status == HELD


def test_counts_stay_right_when_reviewers_decide_at_once(
    call, add_article, add_comment, stored, database: Database
) -> None:
    article_id = add_article()
    root = add_comment(article_id, status=VISIBLE)
    held = [add_comment(article_id, status=HELD, parent_id=root, root_id=root) for _ in range(4)]
    ready, statuses = threading.Barrier(8), []

    def run(comment_id: int, action: str) -> None:
        ready.wait()
        statuses.append(decide(call, comment_id, action).status_code)

    threads = [threading.Thread(target=run, args=(each, action)) for each in held for action in ("approve", "hide")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {200, 409}
    visible = [each for each in held if stored(each).status == VISIBLE]
    assert stored(root).reply_count == len(visible)
    with database.read() as session:
        assert session.get_one(InfoNews, article_id).comment_count == len(visible)
