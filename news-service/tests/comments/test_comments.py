"""Reading comments: lists, threads, tombstones, pages."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient

from chassis.database import Database
from news_service.comments.tables import DELETED, HELD, HIDDEN, InfoCommentLike


def _ids(answer) -> list[int]:
    return [item["id"] for item in answer.json["items"]]


def _all_pages(client: FlaskClient, address: str, **query: object) -> list[int]:
    seen: list[int] = []
    cursor = None
    while True:
        answer = client.get(address, query_string={**query, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200
        seen += _ids(answer)
        if (cursor := answer.json["next_cursor"]) is None:
            return seen


def test_a_comment_is_listed_with_its_author(client, add_article, add_comment, user_service) -> None:
    user_service.known[7] = "小满"
    add_article()
    add_comment(content="<b>不是标签</b>", create_time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), like_count=3)
    answer = client.get("/api/v1/news/1/comments")
    assert answer.status_code == 200
    assert answer.json == {
        "items": [
            {
                "id": 1,
                "content": "<b>不是标签</b>",
                "author": {"id": 7, "nick_name": "小满", "avatar_url": None},
                "parent": None,
                "like_count": 3,
                "is_liked": False,
                "is_deleted": False,
                "created_at": "2026-01-02T03:04:05Z",
                "reply_count": 0,
                "replies": [],
            }
        ],
        "next_cursor": None,
    }


def test_roots_come_newest_first_or_most_liked_first(client, add_article, add_comment) -> None:
    add_article()
    add_article()
    for likes in (2, 5, 2, 0):
        add_comment(like_count=likes)
    add_comment(news_id=2, like_count=9)
    assert _all_pages(client, "/api/v1/news/1/comments", limit=1) == [4, 3, 2, 1]
    assert _all_pages(client, "/api/v1/news/1/comments", limit=1, order="liked") == [2, 3, 1, 4]


def test_a_root_carries_its_first_answers_and_the_rest_are_pages(client, add_article, add_comment) -> None:
    add_article()
    add_comment(reply_count=5)
    add_comment(reply_count=1, user_id=8)
    for parent in (1, 1, 3, 1, 4):
        add_comment(parent_id=parent, root_id=1, user_id=9)
    add_comment(parent_id=2, root_id=2)
    second, first = client.get("/api/v1/news/1/comments").json["items"]
    assert [reply["id"] for reply in first["replies"]] == [3, 4, 5]
    assert first["reply_count"] == 5
    assert [reply["id"] for reply in second["replies"]] == [8]
    assert first["replies"][2]["parent"] == {
        "id": 3,
        "author": {"id": 9, "nick_name": None, "avatar_url": None},
        "content": "评论3",
    }
    assert _all_pages(client, "/api/v1/comments/1/replies", limit=2) == [3, 4, 5, 6, 7]


@pytest.mark.parametrize("status", [HELD, HIDDEN, DELETED])
def test_what_is_not_visible_is_in_no_list(client, sign_in, add_article, add_comment, status: int) -> None:
    add_article()
    add_comment(reply_count=0)
    add_comment(status=status, content="秘密")
    add_comment(status=status, content="秘密", parent_id=1, root_id=1)
    for reader in (client, sign_in(7), sign_in(8)):
        answer = reader.get("/api/v1/news/1/comments")
        assert _ids(answer) == [1]
        assert "秘密" not in answer.text
        assert _ids(reader.get("/api/v1/comments/1/replies")) == []
        assert reader.get("/api/v1/comments/2/replies").status_code == 404


@pytest.mark.parametrize("status", [HIDDEN, DELETED])
def test_above_visible_answers_a_place_without_text_stays(client, add_article, add_comment, status: int) -> None:
    add_article()
    add_comment(status=status, is_listed=True, reply_count=1, content="秘密", like_count=4, user_id=8)
    add_comment(parent_id=1, root_id=1)
    (root,) = client.get("/api/v1/news/1/comments").json["items"]
    assert (root["content"], root["author"], root["like_count"], root["is_deleted"]) == ("", None, 0, True)
    assert [reply["id"] for reply in root["replies"]] == [2]
    assert root["replies"][0]["parent"] == {"id": 1, "author": None, "content": None}
    assert _ids(client.get("/api/v1/comments/1/replies")) == [2]


def test_only_the_reader_sees_what_the_reader_likes(
    client, sign_in, add_article, add_comment, database: Database
) -> None:
    add_article()
    add_comment(reply_count=1, like_count=1)
    add_comment(parent_id=1, root_id=1, like_count=1)
    with database.write() as session:
        session.add_all([InfoCommentLike(comment_id=number, user_id=8) for number in (1, 2)])
    for reader, expected in ((client, False), (sign_in(8), True), (sign_in(9), False)):
        (root,) = reader.get("/api/v1/news/1/comments").json["items"]
        assert (root["is_liked"], root["replies"][0]["is_liked"]) == (expected, expected)
        assert reader.get("/api/v1/comments/1/replies").json["items"][0]["is_liked"] is expected


@pytest.mark.parametrize("columns", [{"status": 1}, {"status": 3}, {"published_at": datetime(2100, 1, 1, tzinfo=UTC)}])
def test_comments_of_an_article_that_is_not_public_are_not_there(client, add_article, add_comment, columns) -> None:
    add_article(**columns)
    add_comment(reply_count=1)
    add_comment(parent_id=1, root_id=1)
    for address in ("/api/v1/news/1/comments", "/api/v1/comments/1/replies"):
        answer = client.get(address)
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")


@pytest.mark.any_database
@pytest.mark.parametrize("number", [0, 99, 2**31, 10**30])
@pytest.mark.parametrize("address", ["/api/v1/news/{}/comments", "/api/v1/comments/{}/replies"])
def test_comments_of_nothing_are_a_404(client: FlaskClient, address: str, number: int) -> None:
    assert client.get(address.format(number)).status_code == 404


@pytest.mark.any_database
def test_a_cursor_belongs_to_one_list(client, add_article, add_comment) -> None:
    for _ in range(2):
        add_article()
    for _ in range(3):
        add_comment()
    cursor = client.get("/api/v1/news/1/comments?limit=1").json["next_cursor"]
    addresses = ("/api/v1/news/2/comments?", "/api/v1/news/1/comments?order=liked&", "/api/v1/comments/1/replies?")
    for address in addresses:
        answer = client.get(f"{address}cursor={cursor}")
        assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, "cursor_invalid")


def test_the_number_of_queries_does_not_depend_on_the_number_of_comments(
    sign_in: Callable[[int], FlaskClient], add_article, add_comment, statements: list[str], user_service
) -> None:
    add_article()
    reader, counted = sign_in(8), []
    for roots in (1, 20):
        for _ in range(roots):
            root = add_comment(reply_count=4)
            for _ in range(4):
                add_comment(parent_id=root, root_id=root)
        user_service.asked.clear()
        statements.clear()
        assert reader.get("/api/v1/news/1/comments").status_code == 200
        counted.append((len(statements), len(user_service.asked) <= 1))
    assert counted == [(4, True), (4, True)]


@pytest.mark.any_database
def test_an_unchanged_list_is_a_304(client, add_article, add_comment) -> None:
    add_article()
    add_comment(reply_count=1)
    add_comment(parent_id=1, root_id=1)
    for address in ("/api/v1/news/1/comments", "/api/v1/comments/1/replies"):
        first = client.get(address)
        again = client.get(address, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
        assert {"Cookie", "Authorization"} <= set(first.vary)


@pytest.mark.any_database
def test_a_signed_in_readers_list_is_kept_by_nobody(sign_in, add_article) -> None:
    add_article()
    assert sign_in(8).get("/api/v1/news/1/comments").headers["Cache-Control"] == "private, no-cache"
