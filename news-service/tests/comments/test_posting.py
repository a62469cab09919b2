"""Writing and deleting comments."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from flask_openapi3 import OpenAPI
from redis import Redis
from sqlalchemy import select

from chassis.database import Database
from news_service.articles.tables import InfoNews
from news_service.articles.views import COUNTED
from news_service.comments.standing import change_status
from news_service.comments.tables import DELETED, HELD, HIDDEN, VISIBLE, InfoComment, ReviewPolicy
from news_service.readers.tables import NewsNotice
from news_service.settings import Settings

SignIn = Callable[[int], FlaskClient]
ADDRESS = "/api/v1/news/1/comments"


def _stored(database: Database) -> dict[int, tuple[int, int, int, bool]]:
    with database.read() as session:
        columns = (InfoComment.id, InfoComment.status, InfoComment.root_id, InfoComment.reply_count)
        rows = session.execute(select(*columns, InfoComment.is_listed)).all()
    return {row[0]: (row[1], row[2], row[3], bool(row[4])) for row in rows}


def _comment_count(database: Database) -> int:
    with database.read() as session:
        return session.get_one(InfoNews, 1).comment_count


def _notices(database: Database) -> list[tuple[int, str, int | None, int | None]]:
    with database.read() as session:
        rows = session.scalars(select(NewsNotice).order_by(NewsNotice.id)).all()
    return [(row.user_id, row.kind, row.comment_id, row.actor_id) for row in rows]


def _post(client: FlaskClient, content: str = "好", **fields: object) -> int:
    answer = client.post(ADDRESS, json={"content": content, **fields})
    assert answer.status_code == 201, answer.text
    return int(answer.json["id"])


def test_a_comment_is_written_and_counted(
    sign_in: SignIn, add_article: Callable[..., int], database: Database, redis: Redis
) -> None:
    add_article()
    answer = sign_in(7).post(ADDRESS, json={"content": " 好\u202e文章\r\n第二行 "})
    assert answer.status_code == 201
    body = answer.json
    assert body.pop("created_at").endswith("Z")
    assert body == {
        "id": 1,
        "content": "好文章\n第二行",
        "author": {"id": 7, "nick_name": "用户7", "avatar_url": None},
        "parent": None,
        "like_count": 0,
        "is_liked": False,
        "is_deleted": False,
        "reply_count": 0,
        "replies": [],
        "state": "visible",
        "reason": None,
    }
    assert _comment_count(database) == 1
    assert redis.hgetall(COUNTED) == {"1": "0"}, "the next flush scores the article again"


def test_an_answer_to_an_answer_joins_the_thread_of_the_root(
    sign_in: SignIn, add_article: Callable[..., int], database: Database
) -> None:
    add_article()
    root = _post(sign_in(7))
    answer = _post(sign_in(8), parent_id=root)
    deep = sign_in(9).post(ADDRESS, json={"content": "深", "parent_id": answer})
    assert deep.json["parent"] == {
        "id": answer,
        "author": {"id": 8, "nick_name": "用户8", "avatar_url": None},
        "content": "好",
    }
    assert _stored(database) == {1: (VISIBLE, 0, 2, True), 2: (VISIBLE, 1, 0, True), 3: (VISIBLE, 1, 0, True)}
    assert _comment_count(database) == 3


@pytest.mark.any_database
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"content": ""},
        {"content": " \n\t "},
        {"content": "\u200b\u2060"},
        {"content": "\u202e"},
        {"content": "\x07"},
        {"content": "长" * 2001},
        {"content": 7},
        {"content": "好", "parent_id": "1"},
        {"content": "好", "parent_id": 0},
        {"content": "好", "parent_id": 2**31},
        {"content": "好", "status": 0},
    ],
)
def test_a_wrong_comment_is_refused_and_nothing_stored(
    sign_in: SignIn, add_article: Callable[..., int], database: Database, body: dict[str, object]
) -> None:
    add_article()
    answer = sign_in(7).post(ADDRESS, json=body)
    assert (answer.status_code, answer.json["code"]) == (422, "request_invalid")
    assert _stored(database) == {}


@pytest.mark.parametrize("columns", [{"status": HELD}, {"status": HIDDEN}, {"status": DELETED}, {"news_id": 2}])
def test_only_a_visible_comment_of_the_same_article_is_answered(
    sign_in: SignIn, add_article: Callable[..., int], add_comment: Callable[..., int], columns: dict[str, int]
) -> None:
    for _ in range(2):
        add_article()
    add_comment(**columns)
    answer = sign_in(7).post(ADDRESS, json={"content": "好", "parent_id": 1})
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, "parent_missing")


@pytest.mark.parametrize("columns", [{"status": 1}, {"status": 3}, {"published_at": datetime(2100, 1, 1, tzinfo=UTC)}])
def test_nobody_comments_on_an_article_that_is_not_public(
    sign_in: SignIn, add_article: Callable[..., int], database: Database, columns: dict[str, object]
) -> None:
    add_article(**columns)
    assert sign_in(7).post(ADDRESS, json={"content": "好"}).status_code == 404
    assert sign_in(7).post(f"/api/v1/news/{10**20}/comments", json={"content": "好"}).status_code == 404
    assert _stored(database) == {}


@pytest.mark.any_database
def test_a_text_that_was_not_stored_may_come_again(sign_in: SignIn, add_article: Callable[..., int]) -> None:
    assert sign_in(7).post(ADDRESS, json={"content": "好"}).status_code == 404
    add_article()
    assert sign_in(7).post(ADDRESS, json={"content": "好"}).status_code == 201


def test_a_deleted_comment_without_answers_is_gone(
    sign_in: SignIn, client: FlaskClient, add_article: Callable[..., int], database: Database
) -> None:
    add_article()
    _post(sign_in(7), "要删的")
    for _ in range(2):
        assert sign_in(7).delete("/api/v1/comments/1").status_code == 204
    assert client.get(ADDRESS).json["items"] == []
    assert sign_in(7).get("/api/v1/users/me/comments").json["items"] == []
    assert (_stored(database), _comment_count(database)) == ({1: (DELETED, 0, 0, False)}, 0)
    with database.read() as session:
        assert session.get_one(InfoComment, 1).content == ""


def test_a_deleted_root_goes_with_its_last_answer(
    sign_in: SignIn, client: FlaskClient, add_article: Callable[..., int], database: Database
) -> None:
    add_article()
    root = _post(sign_in(7))
    answer = _post(sign_in(8), parent_id=root)
    sign_in(7).delete(f"/api/v1/comments/{root}")
    assert [item["is_deleted"] for item in client.get(ADDRESS).json["items"]] == [True]
    sign_in(8).delete(f"/api/v1/comments/{answer}")
    assert client.get(ADDRESS).json["items"] == []
    assert _comment_count(database) == 0


def test_nobody_deletes_what_others_wrote(sign_in: SignIn, add_article: Callable[..., int], database: Database) -> None:
    add_article()
    _post(sign_in(7))
    for number in (1, 99, 10**20):
        assert sign_in(8).delete(f"/api/v1/comments/{number}").status_code == 404
    assert _stored(database) == {1: (VISIBLE, 0, 0, True)}


def test_authors_see_their_own_comments_in_every_state_but_deleted(
    sign_in: SignIn, add_article: Callable[..., int], add_comment: Callable[..., int]
) -> None:
    add_article()
    add_article(status=3)
    add_comment()
    add_comment(status=HELD)
    add_comment(status=HIDDEN, reason="广告")
    add_comment(status=DELETED)
    add_comment(user_id=8)
    add_comment(news_id=2)
    items = sign_in(7).get("/api/v1/users/me/comments").json["items"]
    assert [(item["id"], item["state"], item["reason"], item["news"]) for item in items] == [
        (6, "visible", None, {"id": 2, "title": None}),
        (3, "hidden", "广告", {"id": 1, "title": "第1篇"}),
        (2, "held", None, {"id": 1, "title": "第1篇"}),
        (1, "visible", None, {"id": 1, "title": "第1篇"}),
    ]
    assert [item["content"] for item in items] == ["评论6", "评论3", "评论2", "评论1"]
    page = sign_in(7).get("/api/v1/users/me/comments?limit=1").json
    following = sign_in(7).get("/api/v1/users/me/comments", query_string={"cursor": page["next_cursor"]}).json
    assert [item["id"] for item in following["items"]] == [3, 2, 1]


def test_an_answer_and_a_comment_tell_their_authors_once(
    sign_in: SignIn, add_article: Callable[..., int], database: Database
) -> None:
    add_article(user_id=5)
    _post(sign_in(7))
    _post(sign_in(5), parent_id=1)
    _post(sign_in(7), "再说", parent_id=2)
    _post(sign_in(7), "自己", parent_id=1)
    assert _notices(database) == [(5, "comment", 1, 7), (7, "reply", 2, 5), (5, "reply", 3, 7), (5, "comment", 4, 7)]


@pytest.fixture
def under_review(
    make_app: Callable[[Settings], OpenAPI],
    settings: Settings,
    sign_in: SignIn,
    called_by: Callable[..., dict[str, str]],
) -> Callable[[ReviewPolicy, int], FlaskClient]:
    def client_of(policy: ReviewPolicy, user_id: int) -> FlaskClient:
        sign_in(user_id)
        client = make_app(settings.model_copy(update={"comment_review": policy})).test_client()
        for name, value in called_by("news-service", user_id=user_id).items():
            client.environ_base[f"HTTP_{name.upper().replace('-', '_')}"] = value
        return client

    return client_of


def test_a_held_comment_is_counted_and_told_when_it_becomes_visible(
    under_review, client: FlaskClient, add_article: Callable[..., int], database: Database, now: datetime
) -> None:
    add_article(user_id=5)
    author = under_review(ReviewPolicy.ALL, 7)
    answer = author.post(ADDRESS, json={"content": "等一等"})
    assert (answer.status_code, answer.json["state"], answer.json["is_deleted"]) == (201, "held", False)
    assert (client.get(ADDRESS).json["items"], _comment_count(database), _notices(database)) == ([], 0, [])
    for status in (VISIBLE, VISIBLE, HIDDEN, VISIBLE):
        with database.write() as session:
            change_status(session, 1, status, now=now)
    assert [item["content"] for item in client.get(ADDRESS).json["items"]] == ["等一等"]
    assert (_comment_count(database), _notices(database)) == (1, [(5, "comment", 1, 7)])


def test_the_first_three_comments_of_an_account_are_held(
    under_review, add_article: Callable[..., int], database: Database, now: datetime
) -> None:
    add_article()
    author, states = under_review(ReviewPolicy.FIRST, 7), []
    for number in range(5):
        states.append(author.post(ADDRESS, json={"content": f"第{number}条"}).json["state"])
        with database.write() as session:
            change_status(session, number + 1, VISIBLE, now=now)
    assert states == ["held", "held", "held", "visible", "visible"]


def test_an_approved_answer_below_a_deleted_root_brings_its_place_back(
    client: FlaskClient, add_article, add_comment, database: Database, now: datetime
) -> None:
    add_article()
    add_comment(status=DELETED, content="")
    add_comment(parent_id=1, root_id=1, status=HELD)
    with database.write() as session:
        change = change_status(session, 2, VISIBLE, now=now)
    assert (change.before, change.after, change.user_id, change.news_id) == (HELD, VISIBLE, 7, 1)
    assert _stored(database) == {1: (DELETED, 0, 1, True), 2: (VISIBLE, 1, 0, True)}
    assert len(client.get(ADDRESS).json["items"]) == 1


def test_a_deleted_comment_never_comes_back(add_article, add_comment, database: Database, now: datetime) -> None:
    add_article()
    add_comment(status=DELETED, content="")
    with database.write() as session:
        assert change_status(session, 1, VISIBLE, now=now).after == DELETED
    assert _stored(database) == {1: (DELETED, 0, 0, False)}


def test_answers_and_deletions_at_once_leave_right_counts(
    sign_in: SignIn, add_article: Callable[..., int], database: Database, at_once
) -> None:
    add_article(user_id=5)
    root = _post(sign_in(7))
    own = _post(sign_in(8), parent_id=root)
    people = [sign_in(user_id) for user_id in range(10, 14)]
    calls = [lambda each=each: each.post(ADDRESS, json={"content": "好", "parent_id": root}) for each in people]
    calls += [lambda: sign_in(7).delete(f"/api/v1/comments/{root}")] * 2
    calls += [lambda: sign_in(8).delete(f"/api/v1/comments/{own}")] * 2
    answers = at_once(*calls)
    written = sum(answer.status_code == 201 for answer in answers[:4])
    assert {answer.status_code for answer in answers[:4]} <= {201, 422}
    assert [answer.status_code for answer in answers[4:]] == [204] * 4
    stored = _stored(database)
    assert stored[root] == (DELETED, 0, written, written > 0)
    assert _comment_count(database) == written


@pytest.mark.any_database
def test_new_accounts_wait(sign_in: SignIn, add_article: Callable[..., int], user_service, database: Database) -> None:
    add_article()
    user_service.created_at[7] = (datetime.now(UTC) - timedelta(seconds=60)).isoformat()
    answer = sign_in(7).post(ADDRESS, json={"content": "好"})
    assert (answer.status_code, answer.json["code"]) == (429, "account_too_new")
    assert 0 < int(answer.headers["Retry-After"]) <= 540
    assert _stored(database) == {}
    user_service.created_at[8] = (datetime.now(UTC) - timedelta(seconds=601)).isoformat()
    assert sign_in(8).post(ADDRESS, json={"content": "好"}).status_code == 201


@pytest.mark.any_database
def test_nobody_writes_while_the_age_of_accounts_is_unknown(
    sign_in: SignIn, add_article: Callable[..., int], user_service, database: Database
) -> None:
    add_article()
    user_service.status = 500
    answer = sign_in(7).post(ADDRESS, json={"content": "好"})
    assert (answer.status_code, answer.json["code"]) == (503, "service_unavailable")
    assert _stored(database) == {}


@pytest.mark.any_database
def test_nobody_takes_part_while_redis_is_away(
    make_app: Callable[[Settings], OpenAPI],
    settings: Settings,
    sign_in: SignIn,
    called_by: Callable[..., dict[str, str]],
    add_article: Callable[..., int],
    database: Database,
) -> None:
    add_article()
    sign_in(7)
    client = make_app(settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})).test_client()
    headers = called_by("news-service", user_id=7)
    for method, address in (("POST", ADDRESS), ("PUT", "/api/v1/news/1/favourite")):
        answer = client.open(address, method=method, json={"content": "好"}, headers=headers)
        assert (answer.status_code, answer.json["code"]) == (503, "service_unavailable")
    assert client.get(ADDRESS, headers=headers).status_code == 200
    assert _stored(database) == {}


@pytest.mark.any_database
def test_the_same_text_twice_in_a_minute_is_refused(sign_in: SignIn, add_article: Callable[..., int]) -> None:
    add_article()
    _post(sign_in(7), "顶")
    answer = sign_in(7).post(ADDRESS, json={"content": " 顶 "})
    assert (answer.status_code, answer.json["code"]) == (429, "text_repeated")
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    _post(sign_in(7), "再顶")
    _post(sign_in(8), "顶")


@pytest.mark.any_database
@pytest.mark.parametrize(("field", "users"), [("comments_per_user_per_minute", 1), ("comments_per_ip_per_minute", 3)])
def test_users_and_networks_have_a_limit(
    make_app, settings: Settings, sign_in: SignIn, called_by, add_article: Callable[..., int], field: str, users: int
) -> None:
    add_article()
    limited = make_app(settings.model_copy(update={field: 2})).test_client()
    answers = []
    for number in range(3):
        user_id = 7 + number % users
        sign_in(user_id)
        headers = called_by("news-service", user_id=user_id) | {"X-Forwarded-For": "203.0.113.7"}
        answers.append(limited.post(ADDRESS, json={"content": f"第{number}条"}, headers=headers))
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert answers[2].json["code"] == "too_many_requests"
    assert 0 < int(answers[2].headers["Retry-After"]) <= 120


@pytest.mark.any_database
@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "[x](javascript:alert(1))",
        "{{ 7 * 7 }}",
        "&lt;b&gt;",
    ],
)
def test_what_people_write_stays_text_wherever_it_is_read(
    sign_in: SignIn, client: FlaskClient, add_article: Callable[..., int], text: str
) -> None:
    add_article(user_id=5)
    root = _post(sign_in(7), text)
    _post(sign_in(8), "好", parent_id=root)
    readings = [
        (client.get(ADDRESS), lambda items: items[0]["content"]),
        (client.get(ADDRESS), lambda items: items[0]["replies"][0]["parent"]["content"]),
        (client.get(f"/api/v1/comments/{root}/replies"), lambda items: items[0]["parent"]["content"]),
        (sign_in(7).get("/api/v1/users/me/comments"), lambda items: items[0]["content"]),
        (sign_in(5).get("/api/v1/users/me/notices"), lambda items: items[1]["comment"]["content"]),
    ]
    for answer, find in readings:
        assert find(answer.json["items"]) == text
        assert answer.content_type == "application/json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
