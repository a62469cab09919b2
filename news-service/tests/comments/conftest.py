"""Fixtures of the comments: clients of signed-in people, and comments that stand already."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from chassis.database import Database
from news_service.comments.tables import VISIBLE, InfoComment


@pytest.fixture
def add_comment(database: Database) -> Callable[..., int]:
    """Add a comment as it is stored (every column may be given) and return its id; counts are not kept."""
    numbers = itertools.count(1)

    def add(**columns: Any) -> int:
        number = next(numbers)
        usual = {
            "user_id": 7,
            "news_id": 1,
            "content": f"评论{number}",
            "create_time": datetime(2026, 1, 1, tzinfo=UTC),
        }
        values = {"status": VISIBLE, "like_count": 0, **usual, **columns}
        values.setdefault("is_listed", values["status"] == VISIBLE)
        with database.write() as session:
            comment = InfoComment(**values)
            session.add(comment)
            session.flush()
            return comment.id

    return add
