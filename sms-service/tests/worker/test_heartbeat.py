"""The heartbeat of a worker, on a real Redis: who is alive, what waits, and what Redis must not forget."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from redis import Redis

from chassis.errors import DependencyUnavailable
from chassis.redis_client import connect_redis
from sms_service.codes.keys import DATA_KEY, KILL_SWITCH_CHANGED_KEY, KILL_SWITCH_KEY, WAITING_KEY, WORKERS_KEY
from sms_service.codes.kill_switch import KillSwitch
from sms_service.queue.workers import load_workers
from sms_service.worker.heartbeat import BEAT_SECONDS, Heartbeat

Make = Callable[..., Heartbeat]


@pytest.fixture
def switch(redis: Redis) -> KillSwitch:
    return KillSwitch(redis)


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


def test_a_redis_that_lost_its_data_gets_the_switch_back_with_the_heartbeat(
    make_heartbeat: Make, switch: KillSwitch, ask, redis: Redis, log_lines: list[Any]
) -> None:
    switch.turn_on("pumping")
    before = switch.state()
    worker = make_heartbeat()
    worker.beat(is_idle=False)
    redis.flushall()
    assert ask().headers["Retry-After"] == "10"  # Nobody works.
    worker.beat(is_idle=False)
    assert switch.state() == before
    assert ask().headers["Retry-After"] == "300"  # The switch.
    worker.beat(is_idle=False)
    events = [line["event"] for line in log_lines]
    assert [event for event in events if event not in ("request", "request_failed")] == [
        "redis_lost_data",
        "kill_switch_turned_on_again",
    ]


def test_a_redis_that_lost_the_last_second_gets_the_switch_back(make_heartbeat, switch: KillSwitch, redis) -> None:
    switch.turn_off()
    last_second = redis.get(KILL_SWITCH_CHANGED_KEY)
    time.sleep(0.002)
    switch.turn_on("pumping")
    worker = make_heartbeat()
    worker.beat(is_idle=False)
    redis.delete(KILL_SWITCH_KEY)
    redis.set(KILL_SWITCH_CHANGED_KEY, last_second)
    worker.beat(is_idle=False)
    state, age = switch.state(), switch.data_age()
    assert state is not None
    assert state.reason == "pumping"
    assert age is not None
    assert not age.was_lost


def test_a_switch_that_was_turned_off_stays_off(make_heartbeat: Make, switch: KillSwitch, redis: Redis) -> None:
    worker = make_heartbeat()
    switch.turn_on("pumping")
    worker.beat(is_idle=False)
    time.sleep(0.002)
    switch.turn_off()
    worker.beat(is_idle=False)
    assert switch.state() is None
    redis.flushall()
    worker.beat(is_idle=False)
    assert switch.state() is None


def test_a_switch_of_an_earlier_version_is_remembered_too(make_heartbeat: Make, switch: KillSwitch, redis) -> None:
    redis.hset(KILL_SWITCH_KEY, mapping={"reason": "", "since": 1_700_000_000})
    worker = make_heartbeat()
    worker.beat(is_idle=False)
    redis.flushall()
    worker.beat(is_idle=False)
    state = switch.state()
    assert state is not None
    assert state.since == datetime.fromtimestamp(1_700_000_000, UTC)
    switch.turn_off()
    worker.beat(is_idle=False)
    assert switch.state() is None


def test_a_loss_is_told_from_a_first_start(make_heartbeat: Make, switch: KillSwitch, redis: Redis) -> None:
    worker = make_heartbeat()
    assert switch.data_age() is None
    worker.beat(is_idle=False)
    first = switch.data_age()
    assert first is not None
    assert not first.was_lost
    assert abs((datetime.now(UTC) - first.since).total_seconds()) < 60
    redis.hset(DATA_KEY, "since", 1_700_000_000_000)  # Another worker found it empty, and this one knows better.
    worker.beat(is_idle=False)
    age = switch.data_age()
    assert age is not None
    assert (age.since, age.was_lost) == (datetime.fromtimestamp(1_700_000_000, UTC), True)
