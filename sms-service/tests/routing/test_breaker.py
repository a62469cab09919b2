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
from sms_service.metrics import BREAKER_OPENINGS
from sms_service.providers.provider import Outcome, ProviderAnswer
from sms_service.queue.job import SendJob
from sms_service.routing.breaker import CircuitBreaker, CircuitOpen, JobOver, JobTaken, ProviderHealth, Send, are_down
from sms_service.routing.routes import Pace

FAILS = ProviderAnswer(Outcome.UNCERTAIN, "http_500")
WORKS = ProviderAnswer(Outcome.ACCEPTED)
UNUSABLE = ProviderAnswer(Outcome.REFUSED_CONFIG, "161100")
WIDE = Pace(sends_per_second=1000, parallel_sends=100)


@pytest.fixture
def make_breaker(redis: Redis) -> Callable[[Pace], CircuitBreaker]:
    return lambda pace: CircuitBreaker(redis, {"a": pace, "b": pace})


@pytest.fixture
def breaker(make_breaker: Callable[[Pace], CircuitBreaker]) -> CircuitBreaker:
    return make_breaker(WIDE)


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
def answer_jobs(breaker: CircuitBreaker, new_send: Callable[..., Send]) -> Callable[..., None]:
    """Let a provider answer so many jobs."""

    def answer(answer: ProviderAnswer, *, times: int = 1, provider: str = "a") -> None:
        for _ in range(times):
            send = new_send(provider)
            breaker.acquire(send)
            breaker.record(send, answer)

    return answer


@pytest.fixture
def open_time_is_over(redis: Redis) -> Callable[[], None]:
    """Let the breaker of provider a be due for a probe now."""
    return lambda: redis.hset("sms:provider:a", "open_until", 1) and None


def may_send(breaker: CircuitBreaker, send: Send) -> bool:
    try:
        breaker.acquire(send)
    except CircuitOpen:
        return False
    return True


def test_failures_in_a_row_open_the_breaker_for_all_workers(
    health, breaker, make_breaker, new_send, answer_jobs
) -> None:
    answer_jobs(FAILS, times=4)
    assert health.load_states(["a"])["a"].down_seconds == 0
    answer_jobs(FAILS)
    with pytest.raises(CircuitOpen) as closed:
        make_breaker(WIDE).acquire(new_send())
    assert 9 < closed.value.wait_seconds <= 10
    assert may_send(breaker, new_send("b"))


def test_a_success_in_between_starts_the_count_anew(breaker, new_send, answer_jobs) -> None:
    answer_jobs(FAILS, times=4)
    answer_jobs(WORKS)
    answer_jobs(FAILS, times=4)
    assert may_send(breaker, new_send())


def test_what_cannot_be_used_is_down_at_once(breaker, new_send, answer_jobs) -> None:
    answer_jobs(UNUSABLE)
    with pytest.raises(CircuitOpen) as closed:
        breaker.acquire(new_send())
    assert 29 < closed.value.wait_seconds <= 30


@pytest.mark.parametrize("outcome", [Outcome.REFUSED_RECIPIENT, Outcome.REFUSED_LIMIT])
def test_a_refused_recipient_says_nothing_against_a_provider(
    health, breaker, new_send, answer_jobs, outcome: Outcome
) -> None:
    answer_jobs(ProviderAnswer(outcome), times=20)
    assert may_send(breaker, new_send())
    assert health.load_states(["a"])["a"].health == 1


def test_after_the_open_time_one_job_is_the_probe(health, breaker, new_send, answer_jobs, open_time_is_over) -> None:
    answer_jobs(UNUSABLE)
    open_time_is_over()
    probe = new_send()
    breaker.acquire(probe)
    assert not may_send(breaker, new_send())
    breaker.record(probe, WORKS)
    assert may_send(breaker, new_send())
    assert health.load_states(["a"])["a"].down_seconds == 0


def test_a_probe_that_fails_doubles_the_open_time(
    health, breaker, new_send, answer_jobs, open_time_is_over, redis: Redis
) -> None:
    answer_jobs(UNUSABLE)
    down_since = redis.hget("sms:provider:a", "down_since")
    for open_seconds in (60, 120):
        open_time_is_over()
        answer_jobs(FAILS)
        assert open_seconds - 1 < health.load_states(["a"])["a"].retry_seconds <= open_seconds
    assert redis.hget("sms:provider:a", "down_since") == down_since


def test_the_open_time_has_an_upper_bound(health, breaker, answer_jobs, open_time_is_over) -> None:
    for _ in range(12):
        answer_jobs(UNUSABLE)
        open_time_is_over()
    answer_jobs(UNUSABLE)
    assert 599 < health.load_states(["a"])["a"].retry_seconds <= 600


@pytest.mark.parametrize(("answer", "open_seconds"), [(FAILS, 10), (UNUSABLE, 30)])
def test_answers_to_sends_from_before_it_opened_do_not_lengthen_the_open_time(
    health, breaker, new_send, answer: ProviderAnswer, open_seconds: int
) -> None:
    sends = [new_send() for _ in range(8)]
    for send in sends:
        breaker.acquire(send)
    for send in sends:
        breaker.record(send, answer)
    assert open_seconds - 5 < health.load_states(["a"])["a"].retry_seconds <= open_seconds


def test_an_outage_is_told_once_and_so_is_its_end(
    answer_jobs, open_time_is_over, redis: Redis, now_ms, log_lines
) -> None:
    openings = BREAKER_OPENINGS.labels("a")._value.get()
    answer_jobs(WORKS)
    answer_jobs(UNUSABLE)
    open_time_is_over()
    answer_jobs(UNUSABLE)
    open_time_is_over()
    redis.hset("sms:provider:a", "down_since", now_ms() - 90_000)
    answer_jobs(WORKS, times=2)
    assert [(line["event"], line["provider"]) for line in log_lines] == [("provider_down", "a"), ("provider_back", "a")]
    assert log_lines[0]["rest_seconds"] == 30
    assert 90 <= log_lines[1]["down_seconds"] < 95
    assert BREAKER_OPENINGS.labels("a")._value.get() == openings + 1


def test_only_one_of_many_workers_probes(breaker, new_send, answer_jobs, open_time_is_over) -> None:
    answer_jobs(UNUSABLE)
    open_time_is_over()
    sends = [new_send() for _ in range(30)]
    with ThreadPoolExecutor(30) as pool:
        assert sum(pool.map(lambda send: may_send(breaker, send), sends)) == 1


def test_a_busy_provider_is_left_alone_as_long_as_it_asks_and_stays_well(
    health, breaker, new_send, answer_jobs
) -> None:
    answer_jobs(ProviderAnswer(Outcome.REFUSED_BUSY, "http_429", retry_after_seconds=7))
    with pytest.raises(CircuitOpen) as closed:
        breaker.acquire(new_send())
    assert 6 < closed.value.wait_seconds <= 7
    assert health.load_states(["a"])["a"].down_seconds == 0


def test_a_busy_provider_that_names_no_time_is_left_alone_for_a_second(answer_jobs, redis: Redis, now_ms) -> None:
    begun_at = now_ms()
    answer_jobs(ProviderAnswer(Outcome.REFUSED_BUSY, "http_429"))
    assert begun_at <= int(redis.hget("sms:provider:a", "busy_until")) - 1000 <= now_ms()


def test_the_sends_in_flight_are_counted_for_each_provider(health, breaker, new_send) -> None:
    for provider in ("a", "a", "b"):
        breaker.acquire(new_send(provider))
    states = health.load_states(["a", "b"])
    assert {name: state.in_flight for name, state in states.items()} == {"a": 2, "b": 1}


def test_no_more_sends_run_at_once_than_the_provider_bears(make_breaker, new_send) -> None:
    breaker = make_breaker(Pace(sends_per_second=1000, parallel_sends=3))
    sends = [new_send() for _ in range(20)]
    with ThreadPoolExecutor(20) as pool:
        acquired = [
            send for send, went in zip(sends, pool.map(lambda s: may_send(breaker, s), sends), strict=True) if went
        ]
    assert len(acquired) == 3
    breaker.record(acquired[0], WORKS)
    assert may_send(breaker, new_send())
    assert not may_send(breaker, new_send())


def test_the_place_of_a_dead_worker_is_free_after_a_while(make_breaker, new_send, redis: Redis) -> None:
    breaker = make_breaker(Pace(sends_per_second=1000, parallel_sends=1))
    dead = new_send()
    breaker.acquire(dead)
    redis.zadd("sms:provider:a:sends", {dead.id: 1})
    assert may_send(breaker, new_send())


def test_all_workers_together_keep_the_pace(make_breaker, new_send) -> None:
    pace = Pace(sends_per_second=5, parallel_sends=1000)
    sends = [new_send() for _ in range(100)]
    begun_at = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        went = sum(pool.map(lambda send: may_send(make_breaker(pace), send), sends))
    assert 5 <= went <= 5 + 5 * (time.monotonic() - begun_at)  # One second's worth at once, then the rate.


def test_the_pace_holds_no_more_than_one_second_after_a_pause(make_breaker, new_send, redis: Redis, now_ms) -> None:
    redis.hset("sms:provider:a", mapping={"tokens": 1, "tokens_at": now_ms() - 60_000})
    make_breaker(Pace(sends_per_second=2, parallel_sends=1000)).acquire(new_send())
    assert redis.hget("sms:provider:a", "tokens") == "1"


def test_a_provider_with_all_its_parallel_sends_in_use_is_asked_again_soon(make_breaker, new_send) -> None:
    breaker = make_breaker(Pace(sends_per_second=1000, parallel_sends=1))
    breaker.acquire(new_send())
    with pytest.raises(CircuitOpen) as full:
        breaker.acquire(new_send())
    assert full.value.wait_seconds == 0.05


def test_the_times_of_a_provider_are_by_the_clock_of_redis(breaker, new_send, redis: Redis, now_ms) -> None:
    send = new_send()
    begun_at = now_ms()
    breaker.acquire(send)
    breaker.record(send, UNUSABLE)
    ended_at = now_ms()
    provider, job = redis.hgetall("sms:provider:a"), redis.hgetall(job_key("hash", send.job.id))
    times = [job["first_sent_at"], provider["tokens_at"], provider["health_since"], provider["down_since"]]
    times.append(int(provider["open_until"]) - 30_000)
    assert [begun_at <= int(time) <= ended_at for time in times] == [True] * 5


def test_a_full_pace_says_when_the_next_send_may_follow(make_breaker, new_send) -> None:
    breaker = make_breaker(Pace(sends_per_second=2, parallel_sends=1000))
    assert [may_send(breaker, new_send()) for _ in range(2)] == [True, True]
    with pytest.raises(CircuitOpen) as closed:
        breaker.acquire(new_send())
    assert 0.3 < closed.value.wait_seconds <= 0.5


@pytest.fixture
def answer_at_rate(redis: Redis, breaker: CircuitBreaker, new_send) -> Callable[..., None]:
    """Let provider a fail so many percent of its attempts, evenly; time passes by moving what is stored."""

    def answer(*, percent: int, rate: int, seconds: int, fails: ProviderAnswer = FAILS) -> None:
        send = new_send()
        for number in range(1, rate * seconds + 1):
            redis.hincrby("sms:provider:a", "health_since", -1000 // rate)
            has_failed = number * percent // 100 > (number - 1) * percent // 100
            breaker.record(send, fails if has_failed else WORKS)

    return answer


@pytest.mark.parametrize("percent", [0, 1, 10, 50, 100])
@pytest.mark.parametrize(("rate", "seconds"), [(1, 300), (100, 20)])
def test_health_is_the_share_of_recent_attempts_that_did_not_fail(
    health, answer_at_rate, rate: int, seconds: int, percent: int
) -> None:
    answer_at_rate(percent=percent, rate=rate, seconds=seconds)
    assert health.load_states(["a"])["a"].health == pytest.approx(1 - percent / 100, abs=0.01)


@pytest.mark.parametrize("rate", [1, 100])
def test_health_follows_a_provider_within_its_window(
    health, answer_jobs, answer_at_rate, pass_time, redis: Redis, rate: int
) -> None:
    answer_jobs(WORKS)
    redis.hset("sms:provider:a", mapping={"attempts": 120 * rate, "failed": 120 * rate})  # Two minutes of failures.
    pass_time(120)
    answer_at_rate(percent=0, rate=rate, seconds=12)
    assert health.load_states(["a"])["a"].health == pytest.approx(0.1, abs=0.01)  # A tenth of the window.
    pass_time(108)
    assert health.load_states(["a"])["a"].health == 1


@pytest.fixture
def pass_time(redis: Redis) -> Callable[[int], None]:
    """Let seconds pass for the health of provider a."""
    return lambda seconds: redis.hincrby("sms:provider:a", "health_since", -1000 * seconds) and None


def test_what_is_not_asked_becomes_healthy_within_two_windows(health, answer_at_rate, pass_time) -> None:
    answer_at_rate(percent=100, rate=10, seconds=1)
    assert health.load_states(["a", "b"])["a"].health == 0
    pass_time(180)
    assert health.load_states(["a"])["a"].health == pytest.approx(0.5, abs=0.01)
    pass_time(60)
    assert health.load_states(["a"])["a"].health == 1
    answer_at_rate(percent=100, rate=1, seconds=1)
    assert health.load_states(["a"])["a"].health == pytest.approx(0.9)


def test_one_failure_of_a_provider_that_is_seldom_asked_says_little(health, answer_jobs) -> None:
    answer_jobs(FAILS)
    states = health.load_states(["a", "b"])
    assert (states["a"].health, states["b"].health) == (pytest.approx(0.9), 1)


@pytest.mark.parametrize("outcome", sorted(Outcome))
def test_what_is_not_the_providers_fault_leaves_its_health(health, answer_jobs, outcome: Outcome) -> None:
    answer_jobs(ProviderAnswer(outcome))
    is_blameless = outcome in (Outcome.ACCEPTED, Outcome.REFUSED_RECIPIENT, Outcome.REFUSED_LIMIT)
    assert (health.load_states(["a"])["a"].health == 1) is is_blameless


def test_the_health_of_the_version_before_does_not_count(health, redis: Redis, now_ms) -> None:
    redis.hset("sms:provider:a", mapping={"health": 0.03, "health_at": now_ms()})
    assert health.load_states(["a"])["a"].health == 1


def test_two_workers_cannot_send_one_job(breaker, new_send) -> None:
    first = new_send()
    breaker.acquire(first)
    with pytest.raises(JobTaken):
        breaker.acquire(Send(first.job, "a"))
    with pytest.raises(JobTaken):
        breaker.acquire(Send(first.job, "b", is_repetition=True))
    breaker.acquire(Send(first.job, "a", is_repetition=True))


@pytest.mark.parametrize("outcome", sorted(set(Outcome) - {Outcome.ACCEPTED, Outcome.UNCERTAIN}))
def test_after_a_refusal_another_provider_may_be_asked(breaker, new_send, outcome: Outcome) -> None:
    first = new_send()
    breaker.acquire(first)
    breaker.record(first, ProviderAnswer(outcome))
    breaker.acquire(Send(first.job, "b"))


@pytest.mark.parametrize("outcome", [Outcome.ACCEPTED, Outcome.UNCERTAIN])
def test_a_text_that_may_have_gone_out_keeps_its_job_from_a_second_send(breaker, new_send, outcome: Outcome) -> None:
    first = new_send()
    breaker.acquire(first)
    breaker.record(first, ProviderAnswer(outcome))
    for provider in ("a", "b"):
        with pytest.raises(JobTaken):
            breaker.acquire(Send(first.job, provider))


def test_a_refusal_does_not_release_a_job_that_another_worker_repeats(breaker, new_send) -> None:
    first = new_send()
    breaker.acquire(first)
    breaker.acquire(Send(first.job, "a", is_repetition=True))
    breaker.record(first, UNUSABLE)
    with pytest.raises(JobTaken):
        breaker.acquire(Send(first.job, "b"))


@pytest.mark.parametrize("state", ["sent", "failed", "aborted", "retry", None])
def test_a_job_that_is_not_in_hand_is_over(breaker, new_send, redis: Redis, state: str | None) -> None:
    send = new_send()
    key = job_key("hash", send.job.id)
    redis.hset(key, "state", state) if state else redis.delete(key)
    with pytest.raises(JobOver):
        breaker.acquire(send)
    assert redis.exists(key) == (1 if state else 0)


def test_all_are_down_only_if_none_may_be_tried(health, answer_jobs, open_time_is_over) -> None:
    def all_are_down(*providers: str, for_seconds: float) -> bool:
        return are_down(health.load_states(providers).values(), for_seconds=for_seconds)

    answer_jobs(UNUSABLE)
    assert not all_are_down("a", "b", for_seconds=0)
    answer_jobs(UNUSABLE, provider="b")
    threading.Event().wait(0.01)
    assert all_are_down("a", "b", for_seconds=0)
    assert not all_are_down("a", "b", for_seconds=60)
    open_time_is_over()
    assert not all_are_down("a", "b", for_seconds=0)
    assert not all_are_down(for_seconds=0)


def test_a_repetition_keeps_the_time_of_the_first_send(breaker, new_send, redis: Redis) -> None:
    first = new_send()
    breaker.acquire(first)
    redis.hset(job_key("hash", first.job.id), "first_sent_at", 1000)
    breaker.acquire(Send(first.job, "a", is_repetition=True))
    assert redis.hget(job_key("hash", first.job.id), "first_sent_at") == "1000"


def test_a_receipt_finds_its_job_for_a_day_after_the_code(breaker, new_send, redis: Redis, expiry_ms) -> None:
    send = new_send()
    breaker.acquire(send)
    job, reference = job_key("hash", send.job.id), f"sms:ref:job:{send.job.id}"
    assert redis.get(reference) == job
    assert expiry_ms(reference) == pytest.approx(int(redis.hget(job, "exp")) + 86_400_000, abs=50)


def test_everything_about_providers_expires(breaker, new_send, answer_jobs, redis: Redis) -> None:
    answer_jobs(FAILS, times=5)
    breaker.acquire(new_send("b"))
    keys: Any = redis.keys("sms:provider:*") + redis.keys("sms:ref:*")
    assert keys
    assert [key for key in keys if redis.pttl(key) < 0] == []


def test_without_redis_nobody_is_asked(new_send) -> None:
    breaker = CircuitBreaker(connect_redis("redis://127.0.0.1:9/0"), {"a": WIDE})
    with pytest.raises(DependencyUnavailable):
        breaker.acquire(new_send())
