import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from flask_openapi3 import OpenAPI
from sqlalchemy import Engine, event
from werkzeug.test import TestResponse

from chassis.database import Database
from chassis.errors import EditConflict
from chassis.identity import Caller
from news_service.articles.tables import APPROVED, IN_REVIEW, REJECTED, InfoNews, NewsRevision
from news_service.review.word_list import WordList
from news_service.settings import Settings
from news_service.writing.own_articles import OwnArticles
from news_service.writing.states import STATE_NAMES, Move, locked_article, move_article

Call = Callable[..., TestResponse]
AUTHOR = Caller("gateway", 7, "s")
FUTURE = (datetime.now(UTC) + timedelta(days=30)).replace(microsecond=0)


def test_a_draft_is_its_authors_alone(author: Call, other: Call, editor: Call) -> None:
    answer = author("POST", "/news", {"title": " 一 \u202e篇\n新闻 ", "category_id": 2, "markdown": "# 大\n\n**正文**"})
    assert answer.status_code == 201
    written = answer.json
    assert answer.headers["Location"] == f"/api/v1/users/me/news/{written['id']}"
    assert written == author("GET", f"/users/me/news/{written['id']}").json
    assert written | {"id": 0, "updated_at": ""} == {
        "id": 0,
        "title": "一 篇 新闻",
        "source": "个人发布",
        "digest": "大 正文",
        "content": "<h2>大</h2>\n<p><strong>正文</strong></p>\n",
        "markdown": "# 大\n\n**正文**",
        "index_image_url": None,
        "category_id": 2,
        "ai_generated": False,
        "status": "draft",
        "reason": None,
        "published_at": None,
        "submitted_at": None,
        "updated_at": "",
        "clicks": 0,
        "comment_count": 0,
        "version": 1,
    }
    for stranger in (other, editor):
        assert stranger("GET", f"/users/me/news/{written['id']}").json["code"] == "not_found"
        assert stranger("GET", f"/news/{written['id']}").json["code"] == "not_found"
        assert stranger("GET", "/users/me/news").json == {"items": [], "next_cursor": None}


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"title": ""}, "title"),
        ({"title": "\u200b\u2800"}, "title"),
        ({"title": "a\x07"}, "title"),
        ({"title": "长" * 129}, "title"),
        ({"source": "源" * 65}, "source"),
        ({"digest": "摘" * 501}, "digest"),
        ({"category_id": 1}, "category_id"),
        ({"category_id": 99}, "category_id"),
        ({"category_id": 2**31}, "category_id"),
        ({"markdown": "a" * 50_001}, "markdown"),
        ({"markdown": None, "content": "a" * 200_001}, "content"),
        ({"markdown": "a", "content": "b"}, "body"),
        ({"index_image_url": "/static/cover.svg"}, "index_image_url"),
        ({"index_image_url": f"/images/{'0' * 64}.webp"}, "index_image_url"),
        ({"index_image_url": "https://elsewhere.example/a.png"}, "index_image_url"),
        ({"index_image_url": "javascript:alert(1)"}, "index_image_url"),
        ({"published_at": "2001-01-01T00:00:00Z"}, "published_at"),
        ({"published_at": "2099-01-01T00:00:00"}, "published_at"),
        ({"status": 0}, "status"),
        ({"ai_generated": 1}, "ai_generated"),
    ],
)
def test_what_cannot_be_stored_is_named(author: Call, fields: dict[str, Any], wrong: str) -> None:
    answer = author("POST", "/news", {"title": "标题", "category_id": 2, "markdown": "正文"} | fields)
    assert (answer.status_code, [each["field"] for each in answer.json["errors"]]) == (422, [wrong])
    assert author("GET", "/users/me/news").json["items"] == []


def test_the_way_of_an_article_to_its_readers(
    author: Call, other: Call, draft: Callable[..., Any], database: Database
) -> None:
    number = draft()["id"]
    assert author("POST", f"/news/{number}/submission").json["status"] == "in_review"
    assert author("DELETE", f"/news/{number}/submission").json["status"] == "draft"
    assert author("POST", f"/news/{number}/withdrawal").json["code"] == "state_conflict"
    submitted = author("POST", f"/news/{number}/submission").json
    assert submitted == author("POST", f"/news/{number}/submission").json
    assert other("GET", f"/news/{number}").status_code == 404
    with database.write() as session:
        move_article(session, locked_article(session, number), Move.APPROVE, now=datetime.now(UTC))
    assert other("GET", f"/news/{number}").json["title"] == "标题"
    assert author("DELETE", f"/news/{number}/submission").json["code"] == "state_conflict"
    assert author("POST", f"/news/{number}/withdrawal").json["status"] == "withdrawn"
    assert other("GET", f"/news/{number}").status_code == 404
    assert author("POST", f"/news/{number}/submission").json["status"] == "in_review"


@pytest.mark.any_database
def test_the_reason_is_told_while_the_article_is_rejected(
    author: Call, draft: Callable[..., Any], set_article: Callable[..., None]
) -> None:
    number = draft()["id"]
    set_article(number, status=REJECTED, reason="无来源")
    assert author("GET", f"/users/me/news/{number}").json["reason"] == "无来源"
    assert author("GET", "/users/me/news?status=rejected").json["items"][0]["reason"] == "无来源"
    assert author("POST", f"/news/{number}/submission").json["reason"] is None


@pytest.mark.any_database
def test_only_a_whole_article_is_submitted(author: Call, draft: Callable[..., Any]) -> None:
    number = draft(content="<p> &nbsp;&#8203;</p>", category_id=None)["id"]
    answer = author("POST", f"/news/{number}/submission")
    assert {each["field"] for each in answer.json["errors"]} == {"content", "category_id"}
    assert author("GET", f"/users/me/news/{number}").json["status"] == "draft"


def test_a_change_needs_the_present_version(author: Call, draft: Callable[..., Any]) -> None:
    first = draft()
    path = f"/news/{first['id']}"
    changed = author("PATCH", path, {"version": 1, "title": "新标题", "content": "<p>x</p>", "ai_generated": True}).json
    assert (changed["version"], changed["title"], changed["markdown"]) == (2, "新标题", None)
    assert (changed["content"], changed["digest"], changed["ai_generated"]) == ("<p>x</p>", first["digest"], True)
    stale = author("PATCH", path, {"version": 1, "title": "别的"})
    assert (stale.status_code, stale.json["code"]) == (409, "edit_conflict")
    assert author("GET", f"/users/me{path}").json == changed
    assert author("PATCH", path, {"version": 2, "digest": ""}).json["digest"] == "x"
    assert author("PATCH", path, {"version": 3}).json["version"] == 3
    assert author("PATCH", path, {"title": "x"}).json["errors"][0]["field"] == "version"


@pytest.mark.any_database
def test_a_moment_in_the_future_hides_an_approved_article(
    author: Call, other: Call, draft: Callable[..., Any], set_article: Callable[..., None]
) -> None:
    article = draft(published_at=FUTURE.isoformat())
    path = f"/news/{article['id']}"
    assert article["published_at"] == FUTURE.isoformat().replace("+00:00", "Z")
    set_article(article["id"], status=APPROVED)
    assert other("GET", path).status_code == 404
    assert author("PATCH", path, {"version": 1, "published_at": None}).json["published_at"] is None


@pytest.mark.any_database
def test_an_old_publication_keeps_its_moment(
    author: Call, draft: Callable[..., Any], set_article: Callable[..., None]
) -> None:
    article, moment = draft(), datetime(2026, 1, 2, tzinfo=UTC)
    set_article(article["id"], status=APPROVED, published_at=moment)
    sent = {"version": 1, "published_at": None, "title": "改"}
    changed = author("PATCH", f"/news/{article['id']}", sent).json
    assert (changed["published_at"], changed["status"]) == ("2026-01-02T00:00:00Z", "in_review")


@pytest.mark.parametrize("state", STATE_NAMES)
def test_an_author_sends_an_approved_article_back_and_an_editor_does_not(
    author: Call, editor: Call, draft: Callable[..., Any], set_article: Callable[..., None], state: int
) -> None:
    article = draft()
    path = f"/news/{article['id']}"
    set_article(article["id"], status=state)
    corrected = editor("PATCH", path, {"version": 1, "title": "编辑改"}).json
    assert (corrected["status"], corrected["version"]) == (STATE_NAMES[state], 2)
    assert author("PATCH", path, {"version": 2}).json["status"] == STATE_NAMES[state]  # Nothing changed.
    changed = author("PATCH", path, {"version": 2, "title": "作者改"}).json
    assert changed["status"] == ("in_review" if state == APPROVED else STATE_NAMES[state])


OPERATIONS = [
    ("GET", "/users/me/news/{id}", None),
    ("PATCH", "/news/{id}", {"version": 1, "title": "x"}),
    ("POST", "/news/{id}/submission", None),
    ("DELETE", "/news/{id}/submission", None),
    ("POST", "/news/{id}/withdrawal", None),
    ("GET", "/news/{id}/revisions", None),
    ("GET", "/news/{id}/revisions/1", None),
    ("POST", "/news/{id}/revisions/1/restoration", {"version": 1}),
]


@pytest.mark.any_database
@pytest.mark.parametrize("state", STATE_NAMES)
def test_nobody_else_has_a_way_in(
    author: Call, other: Call, client: Any, draft: Callable[..., Any], set_article: Callable[..., None], state: int
) -> None:
    number = draft()["id"]
    set_article(number, status=state)
    before = author("GET", f"/users/me/news/{number}").json
    for method, path, body in OPERATIONS:
        for target in (number, 0, 99, 2**31, 10**20):
            answer = other(method, path.format(id=target), body)
            assert (answer.status_code, answer.json["code"]) == (404, "not_found"), (method, path, target)
        assert client.open(f"/api/v1{path.format(id=number)}", method=method, json=body).status_code == 401
    assert author("GET", f"/users/me/news/{number}").json == before


@pytest.mark.any_database
def test_the_moves_belong_to_the_author_alone(editor: Call, draft: Callable[..., Any]) -> None:
    number = draft()["id"]
    for method, path, body in OPERATIONS:
        allowed = path.endswith("/revisions") or "/revisions/" in path or method == "PATCH"
        version = 2 if path.endswith("restoration") else 1
        answer = editor(method, path.format(id=number), body and {**body, "version": version})
        assert answer.status_code == (200 if allowed else 404), (method, path)


def test_own_articles_come_in_pages(
    author: Call, other: Call, draft: Callable[..., Any], set_article: Callable[..., None]
) -> None:
    numbers = [draft(title=f"第{number}篇")["id"] for number in range(7)]
    for number in numbers[::2]:
        set_article(number, status=IN_REVIEW)

    def walk(query: str) -> list[int]:
        found, cursor = [], ""
        while True:
            page = author("GET", f"/users/me/news?limit=2{query}{cursor}").json
            found += [item["id"] for item in page["items"]]
            if page["next_cursor"] is None:
                return found
            cursor = f"&cursor={page['next_cursor']}"

    assert walk("") == numbers[::-1]
    assert walk("&status=in_review") == numbers[::2][::-1]
    cursor = author("GET", "/users/me/news?limit=2").json["next_cursor"]
    assert other("GET", f"/users/me/news?cursor={cursor}").status_code == 422
    assert author("GET", f"/users/me/news?status=draft&cursor={cursor}").status_code == 422


@pytest.mark.any_database
def test_reads_are_private_and_revalidated(author: Call, draft: Callable[..., Any]) -> None:
    number = draft()["id"]
    for path in ("/users/me/news", f"/users/me/news/{number}", f"/news/{number}/revisions"):
        first = author("GET", path)
        assert first.headers["Cache-Control"] == "private, no-cache"
        assert author("GET", path, If_None_Match=first.headers["ETag"]).status_code == 304


@pytest.mark.any_database
def test_a_user_begins_so_many_articles_a_day(
    make_app: Callable[[Settings], OpenAPI], settings: Settings, called_by: Callable[..., dict[str, str]]
) -> None:
    client = make_app(settings.model_copy(update={"articles_per_user_per_day": 2})).test_client()

    def begin(user_id: int) -> TestResponse:
        return client.post("/api/v1/news", json={"title": "x"}, headers=called_by("news-service", user_id=user_id))

    assert [begin(7).status_code for _ in range(3)] == [201, 201, 429]
    assert 86_000 < int(begin(7).headers["Retry-After"]) <= 86_401
    assert begin(8).status_code == 201


def test_the_versions_are_kept_and_restored(author: Call, editor: Call, draft: Callable[..., Any]) -> None:
    number = draft(title="一")["id"]
    path = f"/news/{number}"
    author("PATCH", path, {"version": 1, "title": "二", "content": "<p>二</p>"})
    editor("PATCH", path, {"version": 2, "title": "三"})
    page = editor("GET", f"{path}/revisions?limit=2").json
    assert [(each["version"], each["editor_id"], each["title"]) for each in page["items"]] == [
        (3, 9, "三"),
        (2, 7, "二"),
    ]
    rest = author("GET", f"{path}/revisions?cursor={page['next_cursor']}").json
    assert ([each["version"] for each in rest["items"]], rest["next_cursor"]) == ([1], None)
    assert author("GET", f"{path}/revisions/1").json["markdown"] == "第一段。\n\n第二段。"
    assert author("POST", f"{path}/revisions/1/restoration", {"version": 2}).json["code"] == "edit_conflict"
    restored = author("POST", f"{path}/revisions/1/restoration", {"version": 3}).json
    assert (restored["title"], restored["markdown"], restored["version"]) == ("一", "第一段。\n\n第二段。", 4)
    assert author("GET", f"{path}/revisions/9").status_code == 404


def test_an_imported_article_keeps_what_it_said(
    author: Call, add_article: Callable[..., int], database: Database
) -> None:
    number = add_article(user_id=7, version=4)
    assert author("GET", f"/news/{number}/revisions").json["items"] == []
    assert author("PATCH", f"/news/{number}", {"version": 4, "title": "改"}).status_code == 200
    assert [each["title"] for each in author("GET", f"/news/{number}/revisions").json["items"]] == ["改", "第1篇"]


def test_the_oldest_versions_go(author: Call, draft: Callable[..., Any], database: Database) -> None:
    number = draft()["id"]
    for version in range(1, 53):
        author("PATCH", f"/news/{number}", {"version": version, "title": f"{version}"})
    with database.read() as session:
        versions = [row.version for row in session.query(NewsRevision).order_by(NewsRevision.version)]
    assert versions == list(range(4, 54))


def in_threads(*tasks: Callable[[], object]) -> list[object]:
    """Run tasks at the same time; an error is its task's result."""
    results: list[object] = [None] * len(tasks)
    barrier = threading.Barrier(len(tasks))

    def run(number: int) -> None:
        barrier.wait(30)
        try:
            results[number] = tasks[number]()
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


@pytest.fixture
def own_articles(database: Database) -> OwnArticles:
    return OwnArticles(database=database, words=WordList(None), most_per_day=50)


def test_of_two_edits_at_once_one_is_told(database: Database, own_articles: OwnArticles, categories: None) -> None:
    number = own_articles.create(7, {"title": "x", "category_id": 2, "markdown": "a"}).id
    edits = [partial(own_articles.change, AUTHOR, number, {"title": title}, version=1) for title in "abcd"]
    results = in_threads(*edits)
    told = [sum(isinstance(result, kind) for result in results) for kind in (InfoNews, EditConflict)]
    assert told == [1, 3]
    assert own_articles.read_own(7, number).version == 2


def test_an_edit_and_an_approval_at_once_publish_no_text_unread(
    database: Database, own_articles: OwnArticles, categories: None
) -> None:
    def approve(number: int) -> str:
        with database.write() as session:
            article = locked_article(session, number)
            read = article.title
            if article.version == 1:
                move_article(session, article, Move.APPROVE, now=datetime.now(UTC))
            return read

    for _ in range(8):
        number = own_articles.create(7, {"title": "read", "category_id": 2, "markdown": "a"}).id
        own_articles.move(7, number, Move.SUBMIT)
        results = in_threads(
            partial(approve, number),
            partial(own_articles.change, AUTHOR, number, {"title": "unread"}, version=1),
        )
        assert not [result for result in results if isinstance(result, Exception)]
        row = own_articles.read_own(7, number)
        assert (row.title, row.status) == ("unread", IN_REVIEW)


@pytest.mark.any_database
def test_each_use_case_costs_the_same_queries(
    author: Call, editor: Call, draft: Callable[..., Any], set_article: Callable[..., None]
) -> None:
    counts: dict[str, set[int]] = {}

    def count(name: str, call: Callable[[], object]) -> None:
        seen: list[str] = []
        note = lambda _c, _cur, statement, *_: seen.append(statement)  # noqa: E731
        event.listen(Engine, "before_cursor_execute", note)
        call()
        event.remove(Engine, "before_cursor_execute", note)
        counts.setdefault(name, set()).add(len(seen))

    for size in (1, 20):
        number = max(draft()["id"] for _ in range(size))
        count("list", partial(author, "GET", "/users/me/news?limit=50"))
        count("read", partial(author, "GET", f"/users/me/news/{number}"))
        count("change", partial(author, "PATCH", f"/news/{number}", {"version": 1, "title": "neu"}))
        count("submit", partial(author, "POST", f"/news/{number}/submission"))
        count("revisions", partial(author, "GET", f"/news/{number}/revisions"))
    assert {name: len(each) for name, each in counts.items()} == dict.fromkeys(counts, 1)
    assert (counts["list"], counts["read"], counts["revisions"]) == ({1}, {1}, {2})
