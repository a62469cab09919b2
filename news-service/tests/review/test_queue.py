"""What waits for a review."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import Engine, event

from chassis.database import Database
from news_service.articles.tables import APPROVED, DRAFT, IN_REVIEW, REJECTED, WITHDRAWN
from news_service.comments.tables import DELETED, HELD, HIDDEN, VISIBLE
from news_service.review.queue import ReviewQueue

FIRST = datetime(2026, 1, 1, tzinfo=UTC)


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """Collect the statements that run meanwhile, on any engine."""
    statements: list[str] = []

    def count(_connection, _cursor, statement: str, *_rest: object) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", count)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", count)


def walk(call, kind: str, limit: int = 2) -> list[dict]:
    items, cursor = [], ""
    while True:
        page = call("GET", f"/review/queue?kind={kind}&limit={limit}{cursor}").json
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = f"&cursor={page['next_cursor']}"


def test_articles_wait_in_the_order_of_their_submission(call, add_article, user_service) -> None:
    user_service.known[7] = "小满"
    for hours in (3, 1, 2, 1, 5):
        add_article(status=IN_REVIEW, user_id=7, submitted_at=FIRST + timedelta(hours=hours), version=hours)
    for status in (APPROVED, DRAFT, REJECTED, WITHDRAWN):
        add_article(status=status, submitted_at=FIRST)
    items = walk(call, "article")
    assert [item["id"] for item in items] == [2, 4, 3, 1, 5]
    assert items[0] == {
        "kind": "article",
        "id": 2,
        "news_id": 2,
        "author": {"id": 7, "nick_name": "小满", "avatar_url": None},
        "title": "第2篇",
        "text": "摘要2",
        "category_id": 2,
        "version": 1,
        "waiting_since": "2026-01-01T01:00:00Z",
    }


def test_comments_wait_in_the_order_of_their_writing(call, add_article, add_comment) -> None:
    article_id = add_article()
    for status in (HELD, VISIBLE, HELD, HIDDEN, DELETED, HELD):
        add_comment(article_id, status=status, create_time=FIRST)
    items = walk(call, "comment")
    assert [item["id"] for item in items] == [1, 3, 6]
    assert items[0] == {
        "kind": "comment",
        "id": 1,
        "news_id": article_id,
        "author": {"id": 7, "nick_name": None, "avatar_url": None},
        "title": "第1篇",
        "text": "评论1",
        "category_id": None,
        "version": None,
        "waiting_since": "2026-01-01T00:00:00Z",
    }


@pytest.mark.parametrize("query", ["kind=comment&cursor=", "kind=article&cursor=x", "kind=other", "limit=51"])
def test_wrong_queries_are_refused(call, add_article, query: str) -> None:
    for _ in range(2):
        add_article(status=IN_REVIEW, submitted_at=FIRST)
    foreign = call("GET", "/review/queue?limit=1").json["next_cursor"]
    suffix = foreign if query.endswith("cursor=") else ""
    assert call("GET", f"/review/queue?{query}{suffix}").status_code == 422


@pytest.mark.parametrize("path", ["/review/queue?kind=article", "/review/queue?kind=comment", "/review/decisions"])
def test_the_number_of_statements_is_constant(call, add_article, add_comment, user_service, path: str) -> None:
    def fill(count: int) -> None:
        for _ in range(count):
            article_id = add_article(status=IN_REVIEW, user_id=7, submitted_at=FIRST)
            add_comment(article_id, status=HELD)
            reason = {"action": "reject", "version": 1, "reason": "不合适"}
            call("POST", f"/review/articles/{add_article(status=IN_REVIEW)}/decision", json=reason)

    def cost() -> tuple[int, int, int]:
        asked = len(user_service.asked)
        with counted_statements() as statements:
            items = call("GET", path).json["items"]
        return len(items), len(statements), len(user_service.asked) - asked

    fill(1)
    few = cost()
    fill(5)
    many = cost()
    assert (few[0], many[0]) == (1, 6)
    assert (few[1], many[1]) == (1, 1)
    assert many[2] <= 1


def test_reviewers_and_user_service_may_be_apart(call, add_article, user_service) -> None:
    add_article(status=IN_REVIEW, user_id=7, submitted_at=FIRST)
    user_service.status = 503
    (item,) = call("GET", "/review/queue").json["items"]
    assert item["author"] == {"id": 7, "nick_name": None, "avatar_url": None}


def test_decisions_are_listed_by_what_they_concern(call, add_article, add_comment) -> None:
    article_id = add_article(status=IN_REVIEW, user_id=7)
    comment_id = add_comment(article_id, status=HELD)
    call("POST", f"/review/articles/{article_id}/decision", json={"action": "approve", "version": 1})
    call("POST", f"/review/comments/{comment_id}/decision", json={"action": "approve"}, user_id=92)
    call("POST", "/review/users/7/decision", json={"action": "ask_ban", "reason": "广告"})

    def ids(query: str) -> list[int]:
        return [item["id"] for item in call("GET", f"/review/decisions?{query}").json["items"]]

    assert [len(ids(query)) for query in ("", "actor=90", "actor=92", "actor=8")] == [3, 2, 1, 0]
    found = [ids(f"{name}={value}") for name, value in (("news_id", article_id), ("comment_id", comment_id))]
    assert [len(each) for each in (*found, ids("user_id=7"), ids("action=ask_ban"))] == [1, 1, 1, 1]
    first = call("GET", "/review/decisions?limit=2").json
    rest = call("GET", f"/review/decisions?limit=2&cursor={first['next_cursor']}").json
    assert [item["id"] for item in first["items"] + rest["items"]] == sorted(ids(""), reverse=True)
    assert rest["next_cursor"] is None
    assert call("GET", "/review/decisions?news_id=1&actor=90").status_code == 422
    assert call("GET", f"/review/decisions?actor=90&cursor={first['next_cursor']}").status_code == 422


def test_the_queue_is_measured(database: Database, add_article, add_comment, now: datetime) -> None:
    def measured() -> list[float | None]:
        ReviewQueue(database, clock=lambda: now).measure()
        names = ("news_review_queue_length", "news_review_queue_age_seconds")
        return [REGISTRY.get_sample_value(name, {"kind": kind}) for kind in ("article", "comment") for name in names]

    assert measured() == [0, 0, 0, 0]
    for hours in (2, 5):
        add_article(status=IN_REVIEW, submitted_at=now - timedelta(hours=hours))
    add_comment(add_article(), status=HELD, create_time=now - timedelta(minutes=1))
    assert measured() == [2, 5 * 3600, 1, 60]
