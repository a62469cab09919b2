"""The public API over HTTP."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient


def test_categories_are_listed_in_order(client: FlaskClient, categories: None) -> None:
    answer = client.get("/api/v1/categories")
    assert answer.status_code == 200
    assert [item["name"] for item in answer.json["items"]] == ["最新", "股市", "债市", "商品", "外汇", "公司"]
    assert answer.json["items"][0] == {"id": 1, "name": "最新", "slug": None, "position": 0}


def test_an_article_is_listed_with_its_author(
    client: FlaskClient, add_article: Callable[..., int], user_service
) -> None:
    user_service.known[7] = "小满"
    add_article(user_id=7, clicks=12, published_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    answer = client.get("/api/v1/news")
    assert answer.status_code == 200
    assert answer.json == {
        "items": [
            {
                "id": 1,
                "title": "第1篇",
                "source": "新经资讯",
                "digest": "摘要1",
                "index_image_url": None,
                "category_id": 2,
                "author": {"id": 7, "nick_name": "小满", "avatar_url": None},
                "clicks": 12,
                "comment_count": 0,
                "published_at": "2026-01-02T03:04:05Z",
            }
        ],
        "next_cursor": None,
    }


def test_one_article_has_content_and_the_readers_ties(client: FlaskClient, add_article: Callable[..., int]) -> None:
    answer = client.get(f"/api/v1/news/{add_article(content='<p>全文</p>')}")
    assert answer.status_code == 200
    assert answer.json["content"] == "<p>全文</p>"
    assert (answer.json["is_favourite"], answer.json["is_following_author"]) == (False, False)


@pytest.mark.parametrize(
    "columns",
    [{"status": 1}, {"status": -1}, {"status": 2}, {"status": 3}, {"published_at": datetime(2100, 1, 1, tzinfo=UTC)}],
    ids=["in review", "rejected", "draft", "withdrawn", "in the future"],
)
def test_what_is_not_public_is_not_there(client: FlaskClient, add_article: Callable[..., int], columns) -> None:
    answer = client.get(f"/api/v1/news/{add_article(**columns)}")
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert client.get("/api/v1/news").json["items"] == []
    assert client.get("/api/v1/news?order=hot").json["items"] == []


@pytest.mark.any_database
@pytest.mark.parametrize("address", ["/api/v1/news/99", "/api/v1/news/0", "/api/v1/news/99999999999999999999999"])
def test_an_unknown_article_is_a_404(client: FlaskClient, address: str) -> None:
    answer = client.get(address)
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_pages_follow_each_other_without_gap_or_repetition(
    client: FlaskClient, add_article: Callable[..., int]
) -> None:
    same_moment = datetime(2026, 1, 1, tzinfo=UTC)
    for hours in (0, 0, 0, 1, 2, 2, 3):
        add_article(published_at=same_moment + timedelta(hours=hours))
    seen, cursor = [], ""
    while cursor is not None:
        answer = client.get("/api/v1/news", query_string={"limit": 2, **({"cursor": cursor} if cursor else {})})
        seen += [item["id"] for item in answer.json["items"]]
        cursor = answer.json["next_cursor"]
    assert seen == [7, 6, 5, 4, 3, 2, 1]


def test_the_hot_list_pages_by_score(client: FlaskClient, add_article: Callable[..., int]) -> None:
    for score in (5, 9, 5, 7):
        add_article(hot_score=score)
    first = client.get("/api/v1/news?order=hot&limit=2").json
    second = client.get("/api/v1/news", query_string={"order": "hot", "limit": 2, "cursor": first["next_cursor"]}).json
    assert [item["id"] for item in first["items"] + second["items"]] == [2, 4, 3, 1]
    assert second["next_cursor"] is None


def test_lists_are_filtered_by_category_and_author(client: FlaskClient, add_article: Callable[..., int]) -> None:
    for category_id, user_id in ((2, 1), (3, 1), (3, 2)):
        add_article(category_id=category_id, user_id=user_id)
    found = {
        query: [item["id"] for item in client.get(f"/api/v1/news?{query}").json["items"]]
        for query in ("category=1", "category=3", "author=1", "category=3&author=1", "category=6")
    }
    assert found == {
        "category=1": [3, 2, 1],
        "category=3": [3, 2],
        "author=1": [2, 1],
        "category=3&author=1": [2],
        "category=6": [],
    }


@pytest.mark.any_database
def test_a_cursor_of_another_list_is_refused(client: FlaskClient, add_article: Callable[..., int]) -> None:
    for _ in range(2):
        add_article()
    cursor = client.get("/api/v1/news?limit=1").json["next_cursor"]
    for other in ({"order": "hot"}, {"category": 2}, {"author": 1}):
        answer = client.get("/api/v1/news", query_string={"cursor": cursor, **other})
        assert (answer.status_code, answer.json["code"]) == (422, "request_invalid")
        assert answer.json["errors"][0]["field"] == "cursor"


@pytest.mark.any_database
@pytest.mark.parametrize("cursor", ["x", "====", "bnVsbA", "W10", "%F0%9F", "WyJuZXdlc3QiLG51bGwsbnVsbCwxZTk5LDFd"])
def test_a_broken_cursor_is_refused(client: FlaskClient, cursor: str) -> None:
    answer = client.get(f"/api/v1/news?cursor={cursor}")
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, "cursor_invalid")


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=51", "limit"),
        ("limit=ten", "limit"),
        ("category=0", "category"),
        ("category=99999999999", "category"),
        ("author=x", "author"),
        ("order=oldest", "order"),
        ("cursor=" + "x" * 201, "cursor"),
    ],
)
def test_a_bad_query_names_its_field(client: FlaskClient, query: str, field: str) -> None:
    answer = client.get(f"/api/v1/news?{query}")
    assert (answer.status_code, answer.json["code"]) == (422, "request_invalid")
    assert [wrong["field"] for wrong in answer.json["errors"]] == [field]


@pytest.mark.any_database
def test_an_unchanged_answer_is_not_sent_again(client: FlaskClient, add_article: Callable[..., int]) -> None:
    address = f"/api/v1/news/{add_article()}"
    first = client.get(address)
    assert first.headers["Cache-Control"] == "public, max-age=30, stale-while-revalidate=300"
    assert first.headers["CDN-Cache-Control"] == "max-age=5, stale-while-revalidate=10, stale-if-error=600"
    assert first.headers["Vary"] == "Cookie, Authorization"
    assert client.get(address, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize("address", ["/api/v1/categories", "/api/v1/news"])
def test_lists_are_the_same_for_everybody(client: FlaskClient, address: str) -> None:
    answer = client.get(address)
    assert answer.headers["CDN-Cache-Control"] == "max-age=5, stale-while-revalidate=10, stale-if-error=600"
    assert "Vary" not in answer.headers


@pytest.mark.any_database
def test_the_answer_for_a_signed_in_reader_stays_private(
    client: FlaskClient, add_article: Callable[..., int], called_by: Callable[..., dict[str, str]]
) -> None:
    answer = client.get(f"/api/v1/news/{add_article()}", headers=called_by("news-service", user_id=3))
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert "CDN-Cache-Control" not in answer.headers
