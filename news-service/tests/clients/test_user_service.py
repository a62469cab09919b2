"""The names of authors."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from chassis.errors import DependencyUnavailable, NotFound
from chassis.identity import InternalTokens
from chassis.service_client import ServiceClient
from news_service.clients.user_service import CACHE_SECONDS, PAUSE_SECONDS, UserName, Users


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def users_at(internal_tokens: InternalTokens, clock: Clock) -> Callable[[str], Users]:
    def users_at(address: str) -> Users:
        client = ServiceClient(address, name="user-service", own_name="news-service", tokens=internal_tokens)
        return Users(client, clock=clock)

    return users_at


def test_names_are_asked_for_in_one_call_and_kept_for_a_minute(user_service, users_at, clock: Clock) -> None:
    user_service.known = {1: "甲", 2: "乙"}
    users = users_at(user_service.address)
    expected = {1: UserName(1, "甲", None), 2: UserName(2, "乙", None)}
    assert users.names({2, 1, 3}) == expected
    assert users.names({1, 2, 3}) == expected
    assert user_service.asked == [[1, 2, 3]]
    clock.seconds += CACHE_SECONDS
    users.names({1})
    assert user_service.asked == [[1, 2, 3], [1]]


def test_nobody_is_asked_for_nobody(user_service, users_at) -> None:
    assert users_at(user_service.address).names(set()) == {}
    assert user_service.asked == []


def test_many_names_are_asked_for_a_hundred_at_a_time(user_service, users_at) -> None:
    user_service.known = {number: f"用户{number}" for number in range(1, 251)}
    assert len(users_at(user_service.address).names(set(range(1, 251)))) == 250
    assert [len(ids) for ids in user_service.asked] == [100, 100, 50]


def test_a_failing_user_service_costs_the_names_only_and_is_left_alone_for_a_while(
    user_service, users_at, clock: Clock
) -> None:
    user_service.known, user_service.status = {1: "甲"}, 500
    users = users_at(user_service.address)
    assert [users.names({1}), users.names({1})] == [{}, {}]
    assert len(user_service.asked) == 1
    user_service.status = 200
    clock.seconds += PAUSE_SECONDS
    assert users.names({1}) == {1: UserName(1, "甲", None)}


def test_an_absent_user_service_costs_the_names_only(users_at) -> None:
    assert users_at("http://127.0.0.1:1").names({1}) == {}


@pytest.mark.any_database
def test_articles_are_answered_without_user_service(client, user_service, add_article) -> None:
    user_service.status = 503
    article_id = add_article(user_id=7)
    author = {"id": 7, "nick_name": None, "avatar_url": None}
    assert client.get(f"/api/v1/news/{article_id}").json["author"] == author
    assert client.get("/api/v1/news").json["items"][0]["author"] == author
    assert client.get("/readyz").status_code == 200


def test_one_user_is_known_with_the_age_of_the_account(user_service, users_at) -> None:
    user_service.known, user_service.created_at = {1: "甲"}, {1: "2026-11-20T08:00:00Z"}
    users = users_at(user_service.address)
    expected = UserName(1, "甲", None, datetime(2026, 11, 20, 8, tzinfo=UTC))
    assert [users.user_by_id(1), users.user_by_id(1)] == [expected, expected]
    assert user_service.asked == [[1]]


def test_an_unknown_user_is_not_found(user_service, users_at) -> None:
    with pytest.raises(NotFound):
        users_at(user_service.address).user_by_id(1)


def test_a_user_is_not_taken_for_known_while_user_service_is_away(user_service, users_at) -> None:
    user_service.status = 500
    users = users_at(user_service.address)
    for _ in range(2):
        with pytest.raises(DependencyUnavailable):
            users.user_by_id(1)
    assert user_service.asked == [[1]]
