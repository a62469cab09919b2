"""Follows, authors and the feed of followed authors."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from chassis.database import Database
from news_service.readers import follows
from news_service.readers.tables import InfoUserFans

ADDRESS = "/api/v1/users/5/follow"
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def _follows(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(InfoUserFans)) or 0


def _follow(database: Database, follower_id: int, *followed_ids: int) -> None:
    with database.write() as session:
        session.add_all(
            InfoUserFans(follower_id=follower_id, followed_id=number, create_time=MOMENT) for number in followed_ids
        )


def _all_pages(client, address: str, limit: int) -> list[int]:
    seen: list[int] = []
    cursor = None
    while True:
        answer = client.get(address, query_string={"limit": limit, **({"cursor": cursor} if cursor else {})})
        seen += [item["id"] for item in answer.json["items"]]
        if (cursor := answer.json["next_cursor"]) is None:
            return seen


def test_a_user_follows_another_and_no_more(sign_in, add_article, database: Database, user_service) -> None:
    user_service.known[5] = "作者"
    add_article(user_id=5)
    reader = sign_in(8)
    for is_following, method in ((True, "PUT"), (True, "PUT"), (False, "DELETE"), (False, "DELETE")):
        assert reader.open(ADDRESS, method=method).status_code == 204
        assert _follows(database) == is_following
        assert reader.get("/api/v1/news/1").json["is_following_author"] is is_following
        assert reader.get("/api/v1/authors/5").json["is_following"] is is_following
    assert _follows(database) == 0


def test_nobody_follows_themselves_or_nobody(sign_in, database: Database) -> None:
    answer = sign_in(5).put(ADDRESS)
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, "follows_oneself")
    for number in (0, 99, 10**20):
        assert sign_in(8).put(f"/api/v1/users/{number}/follow").status_code == 404
        assert sign_in(8).delete(f"/api/v1/users/{number}/follow").status_code == 204
    assert _follows(database) == 0


@pytest.mark.any_database
def test_nobody_is_followed_while_user_service_is_away(sign_in, database: Database, user_service) -> None:
    reader = sign_in(8)
    user_service.status = 500
    assert reader.put(ADDRESS).status_code == 503
    assert _follows(database) == 0


@pytest.mark.any_database
def test_a_user_follows_a_thousand_others_at_most(sign_in, database: Database, user_service) -> None:
    user_service.known |= {5: "甲", 2000: "乙"}
    _follow(database, 8, *range(10, 10 + follows.MOST_FOLLOWS - 1))
    assert sign_in(8).put(ADDRESS).status_code == 204
    answer = sign_in(8).put("/api/v1/users/2000/follow")
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, "follows_too_many")
    assert sign_in(8).put(ADDRESS).status_code == 204
    assert _follows(database) == follows.MOST_FOLLOWS


def test_follows_at_once_are_one(sign_in, database: Database, user_service, at_once: Callable[..., list]) -> None:
    user_service.known[5] = "作者"
    reader = sign_in(8)
    assert {answer.status_code for answer in at_once(*[lambda: reader.put(ADDRESS)] * 4)} == {204}
    assert _follows(database) == 1


def test_the_followed_are_listed_the_last_first(sign_in, database: Database, user_service) -> None:
    user_service.known[5] = "作者"
    with database.write() as session:
        for number, day in ((5, 3), (6, 1), (7, 2), (9, 2)):
            moment = datetime(2026, 1, day, tzinfo=UTC)
            session.add(InfoUserFans(follower_id=8, followed_id=number, create_time=moment))
    _follow(database, 9, 10)
    assert _all_pages(sign_in(8), "/api/v1/users/me/following", 1) == [5, 9, 7, 6]
    assert sign_in(8).get("/api/v1/users/me/following").json["items"][0] == {
        "id": 5,
        "nick_name": "作者",
        "avatar_url": None,
        "followed_at": "2026-01-03T00:00:00Z",
    }


def test_an_author_has_numbers(client, add_article, database: Database, user_service) -> None:
    user_service.known[5] = "作者"
    for status in (0, 0, 1, 3):
        add_article(user_id=5, status=status)
    add_article(user_id=5, published_at=datetime(2100, 1, 1, tzinfo=UTC))
    add_article(user_id=6)
    _follow(database, 5, 6)
    for follower in (6, 7, 9):
        _follow(database, follower, 5)
    assert client.get("/api/v1/authors/5").json == {
        "id": 5,
        "nick_name": "作者",
        "avatar_url": None,
        "followers_count": 3,
        "following_count": 1,
        "news_count": 2,
        "is_following": False,
    }
    assert client.get("/api/v1/authors/99").status_code == 404


def test_the_feed_has_the_public_articles_of_the_followed_in_order(sign_in, add_article, database: Database) -> None:
    chance = random.Random(7)
    expected = []
    for _ in range(60):
        author, hours = chance.randrange(1, 9), chance.randrange(12)
        number = add_article(user_id=author, published_at=MOMENT + timedelta(hours=hours))
        if author in (2, 3, 5):
            expected.append((hours, number))
    add_article(user_id=2, status=1, published_at=MOMENT)
    add_article(user_id=2, published_at=datetime(2100, 1, 1, tzinfo=UTC))
    _follow(database, 8, 2, 3, 5, 77)
    _follow(database, 9, 1)
    expected_ids = [number for _, number in sorted(expected, reverse=True)]
    for limit in (1, 2, 7, 50):
        assert _all_pages(sign_in(8), "/api/v1/users/me/feed", limit) == expected_ids
    assert _all_pages(sign_in(10), "/api/v1/users/me/feed", 5) == []


def test_a_page_of_the_feed_is_two_queries(sign_in, add_article, database: Database, statements: list[str]) -> None:
    reader, counted = sign_in(8), []
    for followed in (1, 40):
        for number in range(followed):
            add_article(user_id=1000 * followed + number)
            _follow(database, 8, 1000 * followed + number)
        statements.clear()
        assert reader.get("/api/v1/users/me/feed").status_code == 200
        counted.append(len(statements))
    assert counted == [2, 2]
