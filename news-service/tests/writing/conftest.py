"""People who write: authors and editors, with the calls of the API."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from chassis.database import Database
from news_service.articles.tables import InfoNews


@pytest.fixture
def person(client: FlaskClient, called_by: Callable[..., dict[str, str]]) -> Callable[..., Callable[..., TestResponse]]:
    """Make a function that calls the API as a user with roles."""

    def person(user_id: int, *roles: str) -> Callable[..., TestResponse]:
        headers = called_by("news-service", user_id=user_id, roles=frozenset(roles))

        def call(method: str, path: str, body: dict[str, Any] | None = None, **more: str) -> TestResponse:
            sent = {**headers, **{name.replace("_", "-"): value for name, value in more.items()}}
            return client.open(f"/api/v1{path}", method=method, json=body, headers=sent)

        return call

    return person


@pytest.fixture
def author(person: Callable[..., Callable[..., TestResponse]], categories: None) -> Callable[..., TestResponse]:
    """A user who writes, with the number 7."""
    return person(7)


@pytest.fixture
def other(person: Callable[..., Callable[..., TestResponse]]) -> Callable[..., TestResponse]:
    """Another user, with the number 8."""
    return person(8)


@pytest.fixture
def editor(person: Callable[..., Callable[..., TestResponse]]) -> Callable[..., TestResponse]:
    """An editor, with the number 9."""
    return person(9, "editor")


@pytest.fixture
def draft(author: Callable[..., TestResponse]) -> Callable[..., dict[str, Any]]:
    """Let the author begin an article, whose fields may be given, and return the answer."""

    def draft(**fields: Any) -> dict[str, Any]:
        text = {} if "content" in fields else {"markdown": "第一段。\n\n第二段。"}
        answer = author("POST", "/news", {"title": "标题", "category_id": 2} | text | fields)
        assert answer.status_code == 201, answer.json
        written: dict[str, Any] = answer.json
        return written

    return draft


@pytest.fixture
def set_article(database: Database) -> Callable[..., None]:
    """Set columns of an article, as its review would."""

    def set_article(article_id: int, **columns: Any) -> None:
        with database.write() as session:
            row = session.get_one(InfoNews, article_id)
            for name, value in columns.items():
                setattr(row, name, value)

    return set_article
