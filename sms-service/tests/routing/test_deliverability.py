"""Whether a text can arrive in time, on a real Redis: workers, backlog, providers."""

import itertools
from collections.abc import Callable

import pytest
from redis import Redis

from chassis.errors import DependencyUnavailable
from chassis.redis_client import connect_redis
from sms_service.codes.keys import WAITING_KEY
from sms_service.metrics import NOT_DELIVERABLE, WORKERS_ALIVE
from sms_service.routing.breaker import provider_key
from sms_service.routing.deliverability import Deliverability, NotDeliverable, Obstacle

ROUTES = {"CN": {"a": 1, "b": 1}, "*": {"c": 1}}


@pytest.fixture
def deliverability(redis: Redis) -> Deliverability:
    return Deliverability(redis=redis, routes=ROUTES, code_ttl_seconds=300)


@pytest.fixture
def obstacle(deliverability: Deliverability) -> Callable[..., Obstacle | None]:
    """What stands in the way of a text."""

    def find(country: str = "CN") -> Obstacle | None:
        try:
            deliverability.check(country)
        except NotDeliverable as error:
            return error.obstacle
        return None

    return find


@pytest.fixture
def down(redis: Redis, now_ms: Callable[[], int]) -> Callable[..., None]:
    """Let a provider be down for so long, and its breaker open for a minute more."""

    def take_down(provider: str, *, for_seconds: int) -> None:
        fields = {"down_since": now_ms() - for_seconds * 1000, "open_until": now_ms() + 60_000}
        redis.hset(provider_key(provider), mapping=fields)

    return take_down


def test_without_a_worker_nothing_arrives(obstacle, make_heartbeat) -> None:
    count = NOT_DELIVERABLE.labels("no_worker")._value.get()
    assert obstacle() is Obstacle.NO_WORKER
    assert WORKERS_ALIVE._value.get() == 0
    assert NOT_DELIVERABLE.labels("no_worker")._value.get() == count + 1
    make_heartbeat().beat(is_idle=False)
    assert obstacle() is None
    assert WORKERS_ALIVE._value.get() == 1


@pytest.mark.parametrize(("seconds", "expected"), [(90, None), (101, Obstacle.BACKLOG), (299, Obstacle.BACKLOG)])
def test_a_third_of_a_codes_life_is_too_long_to_wait(
    obstacle, living_worker, redis: Redis, now_ms, seconds: int, expected: Obstacle | None
) -> None:
    redis.zadd(WAITING_KEY, {"the oldest": now_ms() - seconds * 1000, "a newer one": now_ms()})
    assert obstacle() is expected


def test_only_the_providers_of_the_country_count(obstacle, living_worker, down) -> None:
    down("a", for_seconds=200)
    assert obstacle("CN") is None
    down("b", for_seconds=200)
    assert obstacle("CN") is Obstacle.PROVIDERS_DOWN
    assert obstacle("GB") is None


def test_nobody_waits_for_providers_of_which_one_is_down_for_a_moment(obstacle, living_worker, down) -> None:
    down("a", for_seconds=200)
    down("b", for_seconds=140)
    assert obstacle() is None


def test_readiness_asks_for_workers_and_backlog_alone(deliverability, make_heartbeat, redis, now_ms, down) -> None:
    with pytest.raises(NotDeliverable):
        deliverability.check_workers()
    make_heartbeat().beat(is_idle=False)
    for name in ("a", "b", "c"):
        down(name, for_seconds=200)
    deliverability.check_workers()
    redis.zadd(WAITING_KEY, {"the oldest": now_ms() - 101_000})
    with pytest.raises(NotDeliverable):
        deliverability.check_workers()


def test_a_check_takes_one_round_trip(deliverability, living_worker, redis: Redis) -> None:
    """The commands of one pipeline leave in one piece; a script would first be asked for in another."""
    with redis.monitor() as monitor:
        deliverability.check("CN")  # Connects.
        redis.echo("begin")
        deliverability.check("CN")
        redis.echo("end")
        heard = (command["command"] for command in monitor.listen())
        assert any(command == "ECHO begin" for command in heard)
        commands = [command.split()[0] for command in itertools.takewhile(lambda command: command != "ECHO end", heard)]
    assert commands == ["TIME", "ZCARD", "ZRANGE", "HMGET", "ZCARD", "HMGET", "ZCARD"]


def test_without_redis_nobody_can_say() -> None:
    away = Deliverability(redis=connect_redis("redis://127.0.0.1:9"), routes=ROUTES, code_ttl_seconds=300)
    for act in (away.check_workers, lambda: away.check("CN")):
        with pytest.raises(DependencyUnavailable):
            act()
