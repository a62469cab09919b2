"""Which provider gets a text and how long a job waits for one, on a real Redis, with a clock and chance of our own."""

from collections.abc import Callable
from random import Random

import pytest
from redis import Redis
from tenacity import Retrying, stop_after_attempt

from chassis.mobiles import Mobile
from sms_service.codes.keys import job_key
from sms_service.codes.purposes import Language, Notice, Purpose
from sms_service.providers.provider import Outcome, OutgoingSms, ProviderAnswer
from sms_service.queue.job import SendJob
from sms_service.routing.breaker import CircuitBreaker, ProviderHealth
from sms_service.routing.dispatcher import NO_PROVIDER, Dispatch, Dispatcher, DispatchResult
from sms_service.routing.routes import Pace

JOB = SendJob("job", "hash", 0, 2_000_000_000, "request")
SMS = OutgoingSms("job", Mobile("+8613800138000"), Purpose.LOGIN, Language.ZH, "042619", 5, "the text", 290)


class Accepting:
    """A provider that accepts every text."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_closed = False

    def send_text(self, _sms: OutgoingSms) -> ProviderAnswer:
        return ProviderAnswer(Outcome.ACCEPTED)

    def supports(self, _purpose: Purpose | Notice) -> bool:
        return True

    def repeats_safely(self, **_times: object) -> bool:
        return False

    def close_connections(self) -> None:
        self.is_closed = True


class WaitingClock:
    """A clock that only a pause moves; it keeps the pauses."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def waiting_clock() -> WaitingClock:
    return WaitingClock()


@pytest.fixture
def make_dispatcher(redis: Redis, waiting_clock: WaitingClock) -> Callable[..., Dispatcher]:
    """Make a dispatcher of providers that accept, by their weights; the first number drawn is 0.134."""

    def make(**shares: int) -> Dispatcher:
        redis.hset(job_key("hash", "job"), mapping={"state": "sending", "exp": 2_000_000_000_000})
        return Dispatcher(
            providers={name: Accepting(name) for name in shares},
            routes={"*": shares},
            breaker=CircuitBreaker(redis, dict.fromkeys(shares, Pace(sends_per_second=1000, parallel_sends=100))),
            health=ProviderHealth(redis),
            retrying=Retrying(stop=stop_after_attempt(1), reraise=True),
            random=Random(1),
            monotonic=lambda: waiting_clock.now,
        )

    return make


@pytest.fixture
def dispatch(waiting_clock: WaitingClock) -> Callable[[Dispatcher], DispatchResult]:
    """Dispatch one text that may wait for 5 seconds."""
    return lambda dispatcher: dispatcher.dispatch(
        Dispatch(JOB, SMS, "CN"), patience_seconds=5, pause=waiting_clock.pause
    )


def test_weights_choose_between_two_providers(make_dispatcher, dispatch) -> None:
    assert dispatch(make_dispatcher(first=1, second=99)).provider == "second"


def test_between_two_equal_providers_the_healthy_one_is_chosen(make_dispatcher, dispatch, redis: Redis, now_ms) -> None:
    redis.hset("sms:provider:first", mapping={"health_since": now_ms(), "attempts": 50, "failed": 50})
    assert dispatch(make_dispatcher(first=1, second=1)).provider == "second"


def test_two_equal_and_healthy_providers_are_chosen_by_chance_alone(make_dispatcher, dispatch) -> None:
    assert dispatch(make_dispatcher(first=1, second=1)).provider == "first"


def test_a_job_waits_for_an_open_breaker_as_long_as_it_may(
    make_dispatcher, dispatch, waiting_clock, redis: Redis
) -> None:
    redis.hset("sms:provider:only", "open_until", 9_999_999_999_999)
    assert dispatch(make_dispatcher(only=1)) == DispatchResult("", NO_PROVIDER)
    assert waiting_clock.pauses == [1.0] * 5


def test_the_connections_of_all_providers_are_closed(make_dispatcher) -> None:
    dispatcher = make_dispatcher(first=1, second=1)
    dispatcher.close_connections()
    assert [provider.is_closed for provider in dispatcher.providers.values()] == [True, True]
