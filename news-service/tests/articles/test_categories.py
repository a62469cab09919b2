"""Administrators change the categories."""

import threading
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from chassis.database import Database
from chassis.dumps.importing import move_sequences
from news_service.articles.categories import Categories, Removal
from news_service.articles.tables import APPROVED, DRAFT, IN_REVIEW, REJECTED, WITHDRAWN, InfoCategory, InfoNews

Call = Callable[..., TestResponse]


@pytest.fixture
def admin(client: FlaskClient, called_by: Callable[..., dict[str, str]], database: Database, categories: None) -> Call:
    """Call as an administrator, or with other roles."""
    with database.write() as session:
        move_sequences(session, InfoCategory.__table__)

    def call(method: str, path: str = "", roles: frozenset[str] = frozenset({"admin"}), **options) -> TestResponse:
        headers = called_by("news-service", user_id=91, roles=roles)
        return client.open(f"/api/v1/categories{path}", method=method, headers=headers, **options)

    return call


def names(client: FlaskClient) -> list[str]:
    return [item["name"] for item in client.get("/api/v1/categories").json["items"]]


def test_a_category_is_added_renamed_and_put_in_order(admin: Call, client: FlaskClient) -> None:
    answer = admin("POST", json={"name": "科技", "slug": "tech", "position": 1})
    assert answer.status_code == 201
    added = answer.json
    assert added == {"id": added["id"], "name": "科技", "slug": "tech", "position": 1}
    assert names(client)[-1] == "科技"
    changed = admin("PATCH", f"/{added['id']}", json={"name": "科学", "slug": None, "position": 0})
    assert changed.json == {"id": added["id"], "name": "科学", "slug": None, "position": 0}
    for number in range(2, 7):
        assert admin("PATCH", f"/{number}", json={"position": 9}).status_code == 200
    assert names(client)[:3] == ["最新", "科学", "股市"]


def test_a_change_is_an_edit_that_an_import_keeps(admin: Call, database: Database) -> None:
    admin("PATCH", "/2", json={"name": "股票"})
    with database.read() as session:
        assert session.get_one(InfoCategory, 2).update_time is not None


def test_a_slug_belongs_to_one_category(admin: Call) -> None:
    assert admin("PATCH", "/2", json={"slug": "stocks"}).status_code == 200
    answers = [admin("POST", json={"name": "甲", "slug": "stocks"}), admin("PATCH", "/3", json={"slug": "stocks"})]
    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(409, "slug_taken")] * 2


def test_of_two_who_take_a_slug_at_once_one_gets_it(admin: Call, database: Database) -> None:
    ready, statuses = threading.Barrier(2), []

    def take(number: int) -> None:
        ready.wait()
        statuses.append(admin("PATCH", f"/{number}", json={"slug": "same"}).status_code)

    threads = [threading.Thread(target=take, args=(number,)) for number in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 409]


@pytest.mark.any_database
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "\u200b"},
        {"name": "a\nb"},
        {"name": "x" * 65},
        {"name": "甲", "slug": "Tech"},
        {"name": "甲", "slug": "7"},
        {"name": "甲", "slug": "a--b"},
        {"name": "甲", "position": -1},
        {"name": "甲", "id": 1},
    ],
)
def test_wrong_categories_are_refused(admin: Call, body: dict) -> None:
    assert admin("POST", json=body).status_code == 422


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("PATCH", "/99", 404), ("PATCH", "/99999999999", 404), ("DELETE", "/99", 404), ("DELETE", "/2?move_to=99", 404)],
)
def test_there_must_be_a_category(admin: Call, method: str, path: str, status: int) -> None:
    assert admin(method, path, json={"name": "甲"}).status_code == status


@pytest.mark.any_database
def test_the_category_of_all_articles_stays(admin: Call, client: FlaskClient) -> None:
    answers = [admin("PATCH", "/1", json={"name": "全部"}), admin("DELETE", "/1"), admin("DELETE", "/2?move_to=1")]
    assert [answer.json["code"] for answer in answers] == ["state_conflict"] * 3
    assert admin("PATCH", "/1", json={"slug": "latest"}).json["slug"] == "latest"
    assert names(client)[0] == "最新"


@pytest.mark.any_database
@pytest.mark.parametrize("roles", [frozenset(), frozenset({"editor"})])
def test_only_administrators_may(admin: Call, roles: frozenset[str]) -> None:
    answers = [
        admin("POST", roles=roles, json={"name": "甲"}),
        admin("PATCH", "/2", roles=roles, json={"name": "甲"}),
        admin("DELETE", "/2", roles=roles),
    ]
    assert {answer.status_code for answer in answers} == {403}


def test_a_category_with_articles_is_removed_after_these_have_moved(
    admin: Call, client: FlaskClient, add_article: Callable[..., int], database: Database
) -> None:
    for status in (APPROVED, IN_REVIEW, REJECTED, DRAFT, WITHDRAWN, APPROVED):
        add_article(status=status, category_id=2)
    assert admin("DELETE", "/2").json["code"] == "state_conflict"
    assert "股市" in names(client)
    assert admin("DELETE", "/2?move_to=3").json == {"moved": 6, "is_complete": True}
    assert "股市" not in names(client)
    with database.read() as session:
        moved = session.execute(select(InfoNews.category_id, InfoNews.version, InfoNews.update_time)).all()
    assert {tuple(row) for row in moved} == {(3, 1, None)}
    assert len(client.get("/api/v1/news?category=3").json["items"]) == 2


def test_a_call_moves_a_bounded_number(add_article: Callable[..., int], database: Database) -> None:
    for _ in range(7):
        add_article(category_id=2)
    categories = Categories(database, batch=2, most_per_call=4)
    removals = [categories.remove(2, move_to=3) for _ in range(2)]
    assert removals == [Removal(4, is_complete=False), Removal(3, is_complete=True)]


def test_an_unchanged_list_is_not_sent_again(client: FlaskClient, categories: None) -> None:
    answer = client.get("/api/v1/categories")
    assert client.get("/api/v1/categories", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
