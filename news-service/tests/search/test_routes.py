"""The search over HTTP."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient

from chassis.database import Database
from news_service.search.index import index_articles

pytestmark = pytest.mark.any_database


@pytest.fixture
def publish(database: Database, add_article: Callable[..., int]) -> Callable[..., int]:
    """Add an article to the site and to the index."""

    def publish(**columns: object) -> int:
        article_id = add_article(**columns)
        with database.write() as session:
            index_articles(session, [article_id])
        return article_id

    return publish


def test_a_hit_is_an_article_of_a_list_with_its_words_marked(
    client: FlaskClient, publish: Callable[..., int], user_service
) -> None:
    user_service.known[7] = "小满"
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    publish(
        title="芯片<b>上海",
        user_id=7,
        content="<p>无关</p>" + "<p>旧闻&lt;i&gt;，Ｃｈｉｐ新事</p>",
        published_at=moment,
    )
    answer = client.get("/api/v1/search", query_string={"q": "上海 chip"})
    assert answer.status_code == 200
    assert answer.json == {
        "items": [
            {
                "id": 1,
                "title": "芯片<b>上海",
                "source": "新经资讯",
                "digest": "摘要1",
                "index_image_url": None,
                "category_id": 2,
                "author": {"id": 7, "nick_name": "小满", "avatar_url": None},
                "clicks": 0,
                "comment_count": 0,
                "published_at": "2026-01-02T03:04:05Z",
                "title_parts": [{"text": "芯片<b>", "is_match": False}, {"text": "上海", "is_match": True}],
                "excerpt_parts": [
                    {"text": "无关 旧闻<i>，", "is_match": False},
                    {"text": "Ｃｈｉｐ", "is_match": True},
                    {"text": "新事", "is_match": False},
                ],
            }
        ],
        "next_cursor": None,
    }


def test_pages_follow_each_other(client: FlaskClient, publish: Callable[..., int]) -> None:
    for _ in range(3):
        publish(title="上海")
    first = client.get("/api/v1/search", query_string={"q": "上海", "limit": 2}).json
    rest = client.get("/api/v1/search", query_string={"q": "上海", "limit": 2, "cursor": first["next_cursor"]}).json
    assert [item["id"] for item in first["items"] + rest["items"]] == [3, 2, 1]
    assert rest["next_cursor"] is None
    other = client.get("/api/v1/search", query_string={"q": "海上", "cursor": first["next_cursor"]})
    assert (other.status_code, other.json["errors"][0]["code"]) == (422, "cursor_invalid")


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ({}, "q", "missing"),
        ({"q": ""}, "q", "string_too_short"),
        ({"q": "？%_"}, "q", "query_empty"),
        ({"q": "上" * 65}, "q", "string_too_long"),
        ({"q": "a b c d e f g h i"}, "q", "query_too_long"),
        ({"q": "上海", "limit": 51}, "limit", "less_than_equal"),
        ({"q": "上海", "cursor": "x"}, "cursor", "cursor_invalid"),
    ],
)
def test_a_bad_query_names_its_field(client: FlaskClient, query: dict[str, object], field: str, code: str) -> None:
    answer = client.get("/api/v1/search", query_string=query)
    assert (answer.status_code, answer.json["code"]) == (422, "request_invalid")
    assert [(wrong["field"], wrong["code"]) for wrong in answer.json["errors"]] == [(field, code)]


@pytest.mark.parametrize(
    "typed", ["上海'", '"上海"', "上海 & !", "上海*", "+上海 -", "上海:*", "上海\\", "NOT 上海 OR"]
)
def test_signs_of_query_languages_are_no_commands(client: FlaskClient, publish: Callable[..., int], typed: str) -> None:
    publish(title="上海 not or")
    publish(title="芯片")
    assert [item["id"] for item in client.get("/api/v1/search", query_string={"q": typed}).json["items"]] == [1]


def test_an_unchanged_answer_is_not_sent_again(client: FlaskClient, publish: Callable[..., int]) -> None:
    publish(title="上海")
    first = client.get("/api/v1/search?q=上海")
    assert first.headers["CDN-Cache-Control"] == "max-age=5, stale-while-revalidate=10, stale-if-error=600"
    assert "Vary" not in first.headers
    assert client.get("/api/v1/search?q=上海", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
