"""Favourites of readers."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from redis import Redis
from sqlalchemy import func, select

from chassis.database import Database
from news_service.articles.views import COUNTED
from news_service.readers.tables import InfoUserCollection

ADDRESS = "/api/v1/news/1/favourite"


def _favourites(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(InfoUserCollection)) or 0


def test_an_article_becomes_a_favourite_and_is_one_no_more(
    sign_in, add_article, database: Database, redis: Redis
) -> None:
    add_article()
    reader = sign_in(8)
    for is_favourite, method in ((True, "PUT"), (True, "PUT"), (False, "DELETE"), (False, "DELETE")):
        assert reader.open(ADDRESS, method=method).status_code == 204
        assert _favourites(database) == is_favourite
        assert reader.get("/api/v1/news/1").json["is_favourite"] is is_favourite
    assert redis.hgetall(COUNTED) == {"1": "0"}, "the next flush scores the article again"


def test_favourites_are_listed_by_the_moment_of_choice_while_they_are_public(
    sign_in, add_article, database: Database
) -> None:
    for number in range(1, 7):
        add_article(user_id=number)
    add_article(status=3)
    add_article(published_at=datetime(2100, 1, 1, tzinfo=UTC))
    with database.write() as session:
        for number, day in ((1, 3), (2, 1), (3, 2), (4, 2), (5, 2), (7, 4), (8, 4)):
            moment = datetime(2026, 1, day, tzinfo=UTC)
            session.add(InfoUserCollection(user_id=8, news_id=number, create_time=moment))
        session.add(InfoUserCollection(user_id=9, news_id=6, create_time=moment))
    seen, cursor = [], None
    while not seen or cursor:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = sign_in(8).get("/api/v1/users/me/favourites", query_string=query).json
        seen += [item["id"] for item in answer["items"]]
        cursor = answer["next_cursor"]
    assert seen == [1, 5, 4, 3, 2]
    assert answer["items"][0]["author"] == {"id": 2, "nick_name": None, "avatar_url": None}


@pytest.mark.parametrize("columns", [{"status": 1}, {"status": 3}, {"published_at": datetime(2100, 1, 1, tzinfo=UTC)}])
def test_what_is_not_public_becomes_no_favourite(sign_in, add_article, database: Database, columns) -> None:
    add_article(**columns)
    assert sign_in(8).put(ADDRESS).status_code == 404
    assert sign_in(8).put(f"/api/v1/news/{10**20}/favourite").status_code == 404
    assert _favourites(database) == 0


def test_a_favourite_that_was_withdrawn_can_be_taken_out(sign_in, add_article, database: Database) -> None:
    add_article(status=3)
    with database.write() as session:
        session.add(InfoUserCollection(user_id=8, news_id=1, create_time=datetime(2026, 1, 1, tzinfo=UTC)))
    assert sign_in(8).delete(ADDRESS).status_code == 204
    assert sign_in(8).delete(f"/api/v1/news/{10**20}/favourite").status_code == 204
    assert _favourites(database) == 0


def test_favourites_at_once_are_one(sign_in, add_article, database: Database, at_once: Callable[..., list]) -> None:
    add_article()
    reader = sign_in(8)
    assert {answer.status_code for answer in at_once(*[lambda: reader.put(ADDRESS)] * 4)} == {204}
    assert _favourites(database) == 1
