"""Fixtures of the review: reviewers who call, and comments."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_openapi3 import OpenAPI
from werkzeug.test import TestResponse

from chassis.database import Database
from news_service.comments.tables import VISIBLE, InfoComment

EDITOR, ADMIN = 90, 91
Call = Callable[..., TestResponse]
AddComment = Callable[..., int]


@pytest.fixture
def call(app: OpenAPI, called_by: Callable[..., dict[str, str]]) -> Call:
    """Call as the gateway does, for an editor if not told: ``call("GET", path, user_id=90, json=...)``."""
    client: FlaskClient = app.test_client()

    def call(
        method: str,
        path: str,
        *,
        user_id: int | None = EDITOR,
        roles: frozenset[str] = frozenset({"editor"}),
        **options: Any,
    ) -> TestResponse:
        headers = called_by("news-service", user_id=user_id, roles=roles) | options.pop("headers", {})
        return client.open(f"/api/v1{path}", method=method, headers=headers, **options)

    return call


@pytest.fixture
def add_comment(database: Database) -> AddComment:
    """Add a visible comment (every column may be given) and return its id."""
    numbers = itertools.count(1)

    def add(news_id: int, **columns: Any) -> int:
        number = next(numbers)
        usual = {"id": number, "user_id": 7, "content": f"评论{number}", "status": VISIBLE}
        with database.write() as session:
            comment = InfoComment(news_id=news_id, **usual | columns)
            comment.is_listed = comment.status == VISIBLE
            session.add(comment)
            session.flush()
            return comment.id

    return add
