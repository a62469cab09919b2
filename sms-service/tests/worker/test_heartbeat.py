"""The heartbeat of a worker, on a real Redis: who is alive, and what waits."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from redis import Redis

from chassis.errors import DependencyUnavailable
from chassis.redis_client import connect_redis
from sms_service.codes.keys import WAITING_KEY, WORKERS_KEY
from sms_service.queue.workers import load_workers
from sms_service.worker.heartbeat import BEAT_SECONDS, Heartbeat

Make = Callable[..., Heartbeat]


@pytest.fixture
def wait_for_a_worker(redis: Redis, now_ms: Callable[[], int]) -> Callable[..., None]:
    """Let requests wait, by name, for so many seconds each."""

    def put(**seconds: float) -> None:
        redis.zadd(WAITING_KEY, {name: now_ms() - age * 1000 for name, age in seconds.items()})

    return put


def test_a_worker_is_alive_until_it_leaves(make_heartbeat: Make, redis: Redis) -> None:
    first, second = make_heartbeat(), make_heartbeat()
    assert load_workers(redis).alive == 0
    for _ in range(2):
        first.beat(is_idle=False)
        second.beat(is_idle=False)
    assert load_workers(redis).alive == 2
    first.leave()
    assert load_workers(redis).alive == 1
    second.leave()
    assert load_workers(redis).alive == 0


def test_a_silent_worker_is_forgotten(make_heartbeat: Make, redis: Redis) -> None:
    make_heartbeat(seen_within_seconds=7).beat(is_idle=False)
    assert 6000 < redis.pttl(WORKERS_KEY) <= 7000


def test_a_living_worker_does_not_keep_a_silent_one(make_heartbeat: Make, redis: Redis, now_ms) -> None:
    redis.zadd(WORKERS_KEY, {"silent": now_ms() - 60_001, "heard of": now_ms() - 50_000})
    make_heartbeat().beat(is_idle=False)
    assert load_workers(redis).alive == 2
    assert redis.zscore(WORKERS_KEY, "silent") is None


def test_the_clock_of_a_worker_does_not_matter(make_heartbeat: Make, redis: Redis) -> None:
    with time_machine.travel(datetime.now(UTC) + timedelta(days=1)):
        make_heartbeat().beat(is_idle=False)
    with time_machine.travel(datetime.now(UTC) - timedelta(days=1)):
        make_heartbeat().beat(is_idle=False)
    assert load_workers(redis).alive == 2


def test_a_heartbeat_is_due_every_two_seconds_and_counts_for_as_long_as_the_api_says(make_heartbeat: Make) -> None:
    now = [100.0]
    heartbeat = make_heartbeat(seen_within_seconds=10, clock=lambda: now[0])
    assert heartbeat.is_due()
    with pytest.raises(ConnectionError):
        heartbeat.check()
    heartbeat.beat(is_idle=False)
    assert not heartbeat.is_due()
    now[0] += BEAT_SECONDS
    assert heartbeat.is_due()
    heartbeat.check()
    now[0] = 110
    with pytest.raises(ConnectionError):
        heartbeat.check()


def test_what_has_expired_does_not_wait(make_heartbeat: Make, wait_for_a_worker, redis: Redis) -> None:
    wait_for_a_worker(expired=301, old=250)
    make_heartbeat().beat(is_idle=False)
    assert redis.zrange(WAITING_KEY, 0, -1) == ["old"]


def test_what_an_idle_worker_does_not_find_on_the_queue_is_lost(make_heartbeat, wait_for_a_worker, redis) -> None:
    """Else one lost job would stop all requests from a third of its code's life until its end."""
    wait_for_a_worker(lost=31, with_another_worker=20)
    make_heartbeat().beat(is_idle=True)
    assert redis.zrange(WAITING_KEY, 0, -1) == ["with_another_worker"]


def test_without_redis_a_worker_is_not_heard_of() -> None:
    away = Heartbeat(connect_redis("redis://127.0.0.1:9"), seen_within_seconds=10, code_ttl_seconds=300)
    for act in (away.leave, lambda: away.beat(is_idle=True)):
        with pytest.raises(DependencyUnavailable):
            act()
    with pytest.raises(ConnectionError):
        away.check()
