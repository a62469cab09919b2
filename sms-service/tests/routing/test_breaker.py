"""Breaker, pace and parallel sends of a provider, shared through a real Redis."""

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from redis import Redis

from chassis.errors import DependencyUnavailable
from chassis.redis_client import connect_redis
from sms_service.codes.keys import job_key
from sms_service.providers.provider import Outcome, ProviderAnswer
from sms_service.queue.job import SendJob
from sms_service.routing.breaker import GateClosed, Gates, JobOver, JobTaken, ProviderHealth, Send
from sms_service.routing.routes import Pace

FAILS = ProviderAnswer(Outcome.UNCERTAIN, "http_500")
WORKS = ProviderAnswer(Outcome.ACCEPTED)
UNUSABLE = ProviderAnswer(Outcome.REFUSED_CONFIG, "161100")
WIDE = Pace(sends_per_second=1000, parallel_sends=100)


@pytest.fixture
def make_gates(redis: Redis) -> Callable[[Pace], Gates]:
    return lambda pace: Gates(redis, {"a": pace, "b": pace})


@pytest.fixture
def gates(make_gates: Callable[[Pace], Gates]) -> Gates:
    return make_gates(WIDE)


@pytest.fixture
def health(redis: Redis) -> ProviderHealth:
    return ProviderHealth(redis)


@pytest.fixture
def new_send(redis: Redis) -> Callable[..., Send]:
    """Make a send of a job that a worker has claimed."""
    count = itertools.count()

    def make(provider: str = "a", **more: Any) -> Send:
        job = SendJob(f"job{next(count)}", "hash", 0, 2_000_000_000, "request")
        redis.hset(job_key("hash", job.id), mapping={"state": "sending", "exp": int(time.time() * 1000) + 300_000})
        return Send(job, provider, **more)

    return make


@pytest.fixture
def teach(gates: Gates, new_send: Callable[..., Send]) -> Callable[..., None]:
    """Let a provider answer so many jobs."""

    def answer(answer: ProviderAnswer, *, times: int = 1, provider: str = "a") -> None:
        for _ in range(times):
            send = new_send(provider)
            gates.enter(send)
            gates.leave(send, answer)

    return answer


@pytest.fixture
def rest_is_over(redis: Redis) -> Callable[[], None]:
    """Let the rest of provider a end now."""
    return lambda: redis.hset("sms:provider:a", "open_until", 1) and None


def is_open(gates: Gates, send: Send) -> bool:
    try:
        gates.enter(send)
    except GateClosed:
        return False
    return True


def test_failures_in_a_row_open_the_breaker_for_all_workers(health, gates, make_gates, new_send, teach) -> None:
    teach(FAILS, times=4)
    assert health.states(["a"])["a"].down_seconds == 0
    teach(FAILS)
    with pytest.raises(GateClosed) as closed:
        make_gates(WIDE).enter(new_send())
    assert 9 < closed.value.wait_seconds <= 10
    assert is_open(gates, new_send("b"))


def test_a_success_in_between_starts_the_count_anew(gates, new_send, teach) -> None:
    teach(FAILS, times=4)
    teach(WORKS)
    teach(FAILS, times=4)
    assert is_open(gates, new_send())


def test_what_cannot_be_used_is_down_at_once(gates, new_send, teach) -> None:
    teach(UNUSABLE)
    with pytest.raises(GateClosed) as closed:
        gates.enter(new_send())
    assert 29 < closed.value.wait_seconds <= 30


@pytest.mark.parametrize("outcome", [Outcome.REFUSED_RECIPIENT, Outcome.REFUSED_LIMIT])
def test_a_refused_recipient_says_nothing_against_a_provider(health, gates, new_send, teach, outcome: Outcome) -> None:
    teach(ProviderAnswer(outcome), times=20)
    assert is_open(gates, new_send())
    assert health.states(["a"])["a"].health == 1


def test_after_its_rest_one_job_finds_out(health, gates, new_send, teach, rest_is_over) -> None:
    teach(UNUSABLE)
    rest_is_over()
    probe = new_send()
    gates.enter(probe)
    assert not is_open(gates, new_send())
    gates.leave(probe, WORKS)
    assert is_open(gates, new_send())
    assert health.states(["a"])["a"].down_seconds == 0


def test_a_probe_that_fails_doubles_the_rest(health, gates, new_send, teach, rest_is_over, redis: Redis) -> None:
    teach(UNUSABLE)
    down_since = redis.hget("sms:provider:a", "down_since")
    for rest in (60, 120):
        rest_is_over()
        teach(FAILS)
        assert rest - 1 < health.states(["a"])["a"].rest_seconds <= rest
    assert redis.hget("sms:provider:a", "down_since") == down_since


def test_the_rest_has_an_end(health, gates, teach, rest_is_over) -> None:
    for _ in range(12):
        teach(UNUSABLE)
        rest_is_over()
    teach(UNUSABLE)
    assert 599 < health.states(["a"])["a"].rest_seconds <= 600


def test_only_one_of_many_workers_probes(gates, new_send, teach, rest_is_over) -> None:
    teach(UNUSABLE)
    rest_is_over()
    sends = [new_send() for _ in range(30)]
    with ThreadPoolExecutor(30) as pool:
        assert sum(pool.map(lambda send: is_open(gates, send), sends)) == 1


def test_a_busy_provider_is_left_alone_as_long_as_it_asks_and_stays_well(health, gates, new_send, teach) -> None:
    teach(ProviderAnswer(Outcome.REFUSED_BUSY, "http_429", retry_after_seconds=7))
    with pytest.raises(GateClosed) as closed:
        gates.enter(new_send())
    assert 6 < closed.value.wait_seconds <= 7
    assert health.states(["a"])["a"].down_seconds == 0


def test_no_more_sends_run_at_once_than_the_provider_bears(make_gates, new_send) -> None:
    gates = make_gates(Pace(sends_per_second=1000, parallel_sends=3))
    sends = [new_send() for _ in range(20)]
    with ThreadPoolExecutor(20) as pool:
        entered = [send for send, went in zip(sends, pool.map(lambda s: is_open(gates, s), sends), strict=True) if went]
    assert len(entered) == 3
    gates.leave(entered[0], WORKS)
    assert is_open(gates, new_send())
    assert not is_open(gates, new_send())


def test_the_place_of_a_dead_worker_is_free_after_a_while(make_gates, new_send, redis: Redis) -> None:
    gates = make_gates(Pace(sends_per_second=1000, parallel_sends=1))
    dead = new_send()
    gates.enter(dead)
    redis.zadd("sms:provider:a:sends", {dead.id: 1})
    assert is_open(gates, new_send())


def test_all_workers_together_keep_the_pace(make_gates, new_send) -> None:
    pace = Pace(sends_per_second=5, parallel_sends=1000)
    sends = [new_send() for _ in range(100)]
    begun_at = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        went = sum(pool.map(lambda send: is_open(make_gates(pace), send), sends))
    assert 5 <= went <= 5 + 5 * (time.monotonic() - begun_at)  # One second's worth at once, then the rate.


def test_a_closed_gate_says_when_the_next_may_pass(make_gates, new_send) -> None:
    gates = make_gates(Pace(sends_per_second=2, parallel_sends=1000))
    assert [is_open(gates, new_send()) for _ in range(2)] == [True, True]
    with pytest.raises(GateClosed) as closed:
        gates.enter(new_send())
    assert 0.3 < closed.value.wait_seconds <= 0.5


def test_health_falls_with_trouble_and_drifts_back(health, teach, redis: Redis) -> None:
    teach(FAILS, times=2)
    fallen = health.states(["a", "b"])
    assert fallen["a"].health == pytest.approx(0.49, abs=0.01)
    assert fallen["b"].health == 1
    five_minutes_ago = float(str(redis.hget("sms:provider:a", "health_at"))) - 300_000
    redis.hset("sms:provider:a", "health_at", five_minutes_ago)
    assert health.states(["a"])["a"].health == pytest.approx(0.99, abs=0.01)


def test_two_workers_cannot_hand_one_job_over(gates, new_send) -> None:
    first = new_send()
    gates.enter(first)
    with pytest.raises(JobTaken):
        gates.enter(Send(first.job, "a"))
    with pytest.raises(JobTaken):
        gates.enter(Send(first.job, "b", is_repetition=True))
    gates.enter(Send(first.job, "a", is_repetition=True))


def test_after_a_refusal_another_provider_may_be_asked(gates, new_send) -> None:
    first = new_send()
    gates.enter(first)
    gates.leave(first, UNUSABLE)
    gates.enter(Send(first.job, "b"))


def test_a_refusal_does_not_release_a_job_that_another_worker_repeats(gates, new_send) -> None:
    first = new_send()
    gates.enter(first)
    gates.enter(Send(first.job, "a", is_repetition=True))
    gates.leave(first, UNUSABLE)
    with pytest.raises(JobTaken):
        gates.enter(Send(first.job, "b"))


@pytest.mark.parametrize("state", ["sent", "failed", "aborted", "retry", None])
def test_a_job_that_is_not_in_hand_is_over(gates, new_send, redis: Redis, state: str | None) -> None:
    send = new_send()
    key = job_key("hash", send.job.id)
    redis.hset(key, "state", state) if state else redis.delete(key)
    with pytest.raises(JobOver):
        gates.enter(send)
    assert redis.exists(key) == (1 if state else 0)


def test_all_are_down_only_if_none_may_be_tried(health, gates, teach, rest_is_over, redis: Redis) -> None:
    teach(UNUSABLE)
    assert not health.are_down(["a", "b"], for_seconds=0)
    teach(UNUSABLE, provider="b")
    threading.Event().wait(0.01)
    assert health.are_down(["a", "b"], for_seconds=0)
    assert not health.are_down(["a", "b"], for_seconds=60)
    rest_is_over()
    assert not health.are_down(["a", "b"], for_seconds=0)
    assert not health.are_down([], for_seconds=0)


def test_everything_about_providers_expires(gates, new_send, teach, redis: Redis) -> None:
    teach(FAILS, times=5)
    gates.enter(new_send("b"))
    keys: Any = redis.keys("sms:provider:*") + redis.keys("sms:ref:*")
    assert keys
    assert [key for key in keys if redis.pttl(key) < 0] == []


def test_without_redis_nobody_is_asked(new_send) -> None:
    gates = Gates(connect_redis("redis://127.0.0.1:9/0"), {"a": WIDE})
    with pytest.raises(DependencyUnavailable):
        gates.enter(new_send())
