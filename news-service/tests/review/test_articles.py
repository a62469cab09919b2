"""Decisions on articles."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from chassis.database import Database, utc_now
from news_service.articles.tables import APPROVED, DRAFT, IN_REVIEW, REJECTED, WITHDRAWN, InfoNews
from news_service.readers.tables import NewsNotice
from news_service.review.tables import NewsDecision
from news_service.writing.states import UNPUBLISHED

AUTHOR = 7
OLD = datetime(2026, 1, 1, tzinfo=UTC)


def decide(call, article_id: int, action: str, **options):
    body = {"action": action, "version": options.pop("version", 1), "reason": options.pop("reason", "不合适")}
    return call("POST", f"/review/articles/{article_id}/decision", json=body, **options)


@pytest.fixture
def stored(database: Database) -> Callable[[int], InfoNews]:
    """Read one article as it is stored."""

    def read(article_id: int) -> InfoNews:
        with database.read() as session:
            return session.get_one(InfoNews, article_id)

    return read


@pytest.fixture
def rows(database: Database) -> Callable[..., list]:
    """Read all rows of a table, the oldest first."""

    def read(model) -> list:
        with database.read() as session:
            return list(session.scalars(select(model).order_by(model.id)))

    return read


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        ("approve", IN_REVIEW, APPROVED),
        ("reject", IN_REVIEW, REJECTED),
        ("withdraw", APPROVED, WITHDRAWN),
    ],
)
def test_a_decision_moves_the_article_is_audited_and_told(
    call, add_article, stored, rows, action: str, before: int, after: int
) -> None:
    article_id = add_article(status=before, user_id=AUTHOR)
    answer = decide(call, article_id, action)
    assert answer.status_code == 200
    assert stored(article_id).status == after
    (decision,) = rows(NewsDecision)
    assert (decision.news_id, decision.actor_id, decision.action, decision.reason) == (article_id, 90, action, "不合适")
    assert (decision.status_before, decision.status_after) == (before, after)
    (notice,) = rows(NewsNotice)
    assert (notice.user_id, notice.news_id, notice.reason, notice.actor_id) == (AUTHOR, article_id, "不合适", None)


def test_a_decision_that_stands_changes_nothing_when_it_is_repeated(call, add_article, rows) -> None:
    article_id = add_article(status=IN_REVIEW, user_id=AUTHOR)
    answers = [decide(call, article_id, "approve") for _ in range(2)]
    assert [answer.json for answer in answers] == [{"id": article_id, "status": "approved", "version": 1}] * 2
    assert (len(rows(NewsDecision)), len(rows(NewsNotice))) == (1, 1)


@pytest.mark.parametrize("action", ["approve", "reject"])
def test_an_article_that_was_edited_meanwhile_is_not_decided_unseen(call, add_article, stored, action: str) -> None:
    article_id = add_article(status=IN_REVIEW, version=2)
    answer = decide(call, article_id, action, version=1)
    assert (answer.status_code, answer.json["code"]) == (409, "edit_conflict")
    assert stored(article_id).status == IN_REVIEW


@pytest.mark.parametrize(
    ("action", "status"),
    [
        ("approve", REJECTED),
        ("approve", WITHDRAWN),
        ("reject", APPROVED),
        ("reject", WITHDRAWN),
        ("withdraw", IN_REVIEW),
        ("withdraw", REJECTED),
        ("restore", IN_REVIEW),
        ("restore", REJECTED),
        ("restore", WITHDRAWN),  # By its author: no decision says otherwise.
    ],
)
def test_a_state_that_does_not_allow_the_action_stays(
    call, add_article, stored, rows, action: str, status: int
) -> None:
    article_id = add_article(status=status)
    answer = decide(call, article_id, action)
    assert (answer.status_code, answer.json["code"]) == (409, "state_conflict")
    assert (stored(article_id).status, rows(NewsDecision)) == (status, [])


@pytest.mark.parametrize("article_id", ["0", "99", "99999999999"])
def test_there_must_be_an_article(call, add_article, article_id: str) -> None:
    assert decide(call, article_id, "approve").status_code == 404
    assert call("GET", f"/review/articles/{article_id}").status_code == 404


def test_nobody_reviews_a_draft(call, add_article) -> None:
    article_id = add_article(status=DRAFT)
    assert decide(call, article_id, "approve").status_code == 404
    assert call("GET", f"/review/articles/{article_id}").status_code == 404


def test_what_reviewers_took_down_comes_back(call, add_article, stored) -> None:
    article_id = add_article(status=APPROVED)
    decide(call, article_id, "withdraw")
    assert stored(article_id).reason == "不合适"
    assert decide(call, article_id, "restore", reason=None).json["status"] == "approved"
    assert (stored(article_id).reason, stored(article_id).published_at) == (None, OLD)


def test_a_new_article_appears_when_it_is_approved(call, add_article, stored) -> None:
    article_id, begun = add_article(status=IN_REVIEW, published_at=UNPUBLISHED), utc_now()
    decide(call, article_id, "approve")
    article = stored(article_id)
    assert begun <= article.published_at <= utc_now()
    assert article.hot_score > 0
    assert call("GET", "/news").json["items"][0]["id"] == article_id


def test_a_planned_article_appears_at_its_moment(call, add_article, stored) -> None:
    planned = datetime(2100, 1, 1, tzinfo=UTC)
    article_id = add_article(status=IN_REVIEW, published_at=planned)
    decide(call, article_id, "approve")
    assert stored(article_id).published_at == planned
    assert call("GET", f"/news/{article_id}").status_code == 404


def test_an_edited_article_keeps_its_place(call, add_article, stored) -> None:
    article_id = add_article(status=IN_REVIEW, version=2)
    decide(call, article_id, "approve", version=2)
    assert stored(article_id).published_at == OLD


@pytest.mark.parametrize("action", ["reject", "withdraw"])
@pytest.mark.parametrize("reason", [None, "", " ", "\u200b"])
def test_a_reason_is_mandatory(call, add_article, stored, action: str, reason: str | None) -> None:
    status = IN_REVIEW if action == "reject" else APPROVED
    article_id = add_article(status=status)
    answer = decide(call, article_id, action, reason=reason)
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "reason")
    assert stored(article_id).status == status


@pytest.mark.parametrize("reason", ["x" * 257, "a\x00b", "a\x1bb"])
def test_a_wrong_reason_is_refused(call, add_article, reason: str) -> None:
    assert decide(call, add_article(status=IN_REVIEW), "reject", reason=reason).status_code in (400, 422)


def test_an_editor_does_not_decide_on_an_article_of_their_own(call, add_article, stored) -> None:
    article_id = add_article(status=IN_REVIEW, user_id=90)
    assert decide(call, article_id, "approve").status_code == 403
    assert stored(article_id).status == IN_REVIEW


def test_an_administrator_may_be_alone_on_a_site(call, add_article, rows) -> None:
    article_id = add_article(status=IN_REVIEW, user_id=91)
    assert decide(call, article_id, "approve", user_id=91, roles=frozenset({"admin"})).status_code == 200
    assert (rows(NewsDecision)[0].actor_id, rows(NewsNotice)) == (91, [])


@pytest.mark.parametrize(("user_id", "status"), [(None, 401), (8, 403)])
def test_only_reviewers_may(call, add_article, user_id: int | None, status: int) -> None:
    article_id = add_article(status=IN_REVIEW)
    options = {"user_id": user_id, "roles": frozenset()}
    answers = [
        decide(call, article_id, "approve", **options),
        call("POST", "/review/comments/1/decision", json={"action": "approve"}, **options),
        call("POST", "/review/users/1/decision", json={"action": "restore"}, **options),
        *(call("GET", path, **options) for path in ("/review/queue", f"/review/articles/{article_id}")),
        call("GET", "/review/decisions", **options),
    ]
    assert {answer.status_code for answer in answers} == {status}


def test_a_reviewer_reads_everything_that_helps_to_decide(call, add_article, user_service) -> None:
    user_service.known |= {AUTHOR: "小满", 90: "编辑"}
    for status in (APPROVED, APPROVED, REJECTED):
        add_article(status=status, user_id=AUTHOR)
    article_id = add_article(status=IN_REVIEW, user_id=AUTHOR, markdown="# 题", ai_generated=True, submitted_at=OLD)
    decide(call, article_id, "reject")
    asked = len(user_service.asked)
    answer = call("GET", f"/review/articles/{article_id}")
    assert len(user_service.asked) == asked + 1
    assert answer.headers["Cache-Control"] == "private, no-cache"
    article = answer.json
    assert (article["status"], article["markdown"], article["ai_generated"]) == ("rejected", "# 题", True)
    assert (article["author"]["nick_name"], article["reason"]) == ("小满", "不合适")
    assert article["author_record"] == {"approved": 2, "rejected": 2}
    (decision,) = article["decisions"]
    assert (decision["action"], decision["actor"]["nick_name"]) == ("reject", "编辑")
    assert (decision["status_before"], decision["status_after"]) == ("in_review", "rejected")
    again = call("GET", f"/review/articles/{article_id}", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_of_two_reviewers_at_once_one_decides(call, add_article, rows) -> None:
    article_id = add_article(status=IN_REVIEW, user_id=AUTHOR)
    ready, statuses = threading.Barrier(2), []

    def run(action: str) -> None:
        ready.wait()
        statuses.append(decide(call, article_id, action).status_code)

    threads = [threading.Thread(target=run, args=(action,)) for action in ("approve", "reject")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 409]
    assert (len(rows(NewsDecision)), len(rows(NewsNotice))) == (1, 1)


def test_approve_and_edit_at_once_never_publish_what_nobody_read(call, add_article, database: Database, stored) -> None:
    for _ in range(5):
        article_id = add_article(status=IN_REVIEW)
        ready = threading.Barrier(2)

        def edit(article_id: int = article_id, ready: threading.Barrier = ready) -> None:
            ready.wait()
            with database.write() as session:
                article = session.get_one(InfoNews, article_id, with_for_update=True)
                article.version, article.status, article.title = 2, IN_REVIEW, "unseen"

        thread = threading.Thread(target=edit)
        thread.start()
        ready.wait()
        decide(call, article_id, "approve")
        thread.join()
        article = stored(article_id)
        assert (article.status, article.title) == (IN_REVIEW, "unseen")


def test_the_moment_of_an_edit_is_not_changed_by_a_refused_decision(call, add_article, stored) -> None:
    edited = utc_now() - timedelta(days=1)
    article_id = add_article(status=APPROVED, update_time=edited)
    decide(call, article_id, "reject")
    assert stored(article_id).update_time == edited
