"""The gate before each provider, shared by all workers through Redis: breaker, pace, parallel sends, health.

The breaker opens after some failures in a row, at once when the provider cannot be used (credentials, balance,
templates), and rests longer each time that the one job it lets through afterwards fails too. It is our own script and
no library's, because asking the breaker, taking a place and writing down on the job that it may have been texted must
be one step.
"""

import enum
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from redis import Redis
from structlog import get_logger

from chassis.lua import load_script
from chassis.redis_client import redis_errors
from sms_service import metrics
from sms_service.codes.keys import KILL_SWITCH_KEY, job_key, job_reference_key
from sms_service.providers.provider import Outcome, ProviderAnswer
from sms_service.queue.job import SendJob
from sms_service.routing.routes import Pace, Routes, shares_for

log = get_logger(__name__)
_MS = 1000
_FAILURES_IN_A_ROW = 5
_FIRST_REST_SECONDS, _FIRST_REST_UNUSABLE_SECONDS, _LONGEST_REST_SECONDS = 10, 30, 600
_BUSY_SECONDS = 1.0  # When a busy provider does not say how long.
_SEND_SECONDS = 12  # Longer than any provider call (8 s): then its worker died.


class Lesson(enum.StrEnum):
    """What an answer teaches about a provider."""

    WORKS = "works"
    BUSY = "busy"
    FAILS = "fails"
    UNUSABLE = "unusable"


_LESSONS = {
    Outcome.REFUSED_BUSY: Lesson.BUSY,
    Outcome.NOT_SENT: Lesson.FAILS,
    Outcome.UNCERTAIN: Lesson.FAILS,
    Outcome.REFUSED_CONFIG: Lesson.UNUSABLE,
}


class GateClosed(Exception):
    """The provider may not be asked now. ``wait_seconds`` is when asking again is worth it."""

    def __init__(self, wait_seconds: float) -> None:
        super().__init__()
        self.wait_seconds = wait_seconds


class JobOver(Exception):
    """The job is not being sent any more: somebody else finished it, or Redis lost it."""


class JobTaken(Exception):
    """Another worker hands this job over, or died at it; nobody else may, unless a repetition is safe."""


class TextsStopped(Exception):
    """The kill switch is on."""


@dataclass(frozen=True)
class Send:
    """One try of one job at one provider. ``is_repetition``: an earlier one may have texted, and this is safe."""

    job: SendJob
    provider: str
    is_repetition: bool = False
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


class Gates:
    """All gates. Every method raises `DependencyUnavailable` when Redis is away."""

    def __init__(self, redis: Redis, paces: Mapping[str, Pace]) -> None:
        self._paces = paces
        self._enter, self._leave = (load_script(redis, __file__, name) for name in ("enter", "leave"))

    def enter(self, send: Send) -> None:
        """Take a place at a provider; the job says from now on that it may have been texted.

        Raises:
            GateClosed: breaker, pace or parallel sends.
            JobOver, JobTaken, TextsStopped: as they say.
        """
        pace = self._paces[send.provider]
        arguments: list[str | int] = [
            send.id, send.provider, "1" if send.is_repetition else "0",
            pace.sends_per_second, pace.parallel_sends, _SEND_SECONDS * _MS,
        ]  # fmt: skip
        with redis_errors():
            answer = self._enter([*_keys(send), job_reference_key(send.job.id), KILL_SWITCH_KEY], arguments)
        match answer[0]:
            case "gone":
                raise JobOver
            case "taken":
                raise JobTaken
            case "killed":
                raise TextsStopped
            case "down" | "busy":
                raise GateClosed(answer[1] / _MS)

    def leave(self, send: Send, answer: ProviderAnswer) -> None:
        """Give the place back, and learn from the answer."""
        lesson = _LESSONS.get(answer.outcome, Lesson.WORKS)
        arguments: list[str | int] = [
            send.id, lesson, "1" if answer.outcome.is_refusal else "0",
            int((answer.retry_after_seconds or _BUSY_SECONDS) * _MS), _FAILURES_IN_A_ROW, _FIRST_REST_SECONDS * _MS,
            _FIRST_REST_UNUSABLE_SECONDS * _MS, _LONGEST_REST_SECONDS * _MS, WELL_AGAIN_SECONDS * _MS,
        ]  # fmt: skip
        with redis_errors():
            change, ms = self._leave(_keys(send), arguments)
        if change == "opened":
            metrics.BREAKER_OPENINGS.labels(send.provider).inc()
            log.error("provider_down", provider=send.provider, outcome=answer.outcome.value, answered=answer.code,
                      rest_seconds=ms / _MS)  # fmt: skip
        elif change == "closed":
            log.info("provider_back", provider=send.provider, down_seconds=ms / _MS)


def _keys(send: Send) -> list[str]:
    job = send.job
    return [job_key(job.mobile_hash, job.id), provider_key(send.provider), under_way_key(send.provider)]


WELL_AGAIN_SECONDS = 600  # How long health takes to drift from 0 back to 1.


@dataclass(frozen=True)
class ProviderState:
    """How a provider is doing.

    ``down_seconds`` is 0 while its breaker is closed, ``rest_seconds`` is 0 once it may be asked. ``health`` between
    0 and 1 scales its weight, ``under_way`` counts the sends that wait for its answer.
    """

    down_seconds: float
    rest_seconds: float
    health: float
    under_way: int


class ProviderHealth:
    """Looks at providers. Every method raises `DependencyUnavailable` when Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def states(self, providers: Iterable[str]) -> dict[str, ProviderState]:
        """Look how providers are doing."""
        names = list(providers)
        with redis_errors(), self._redis.pipeline(transaction=False) as asked:
            asked.time()
            for name in names:
                asked.hmget(provider_key(name), "down_since", "open_until", "probe_until", "health", "health_at")
                asked.zcard(under_way_key(name))
            (seconds, microseconds), *found = asked.execute()
        now = seconds * _MS + microseconds / _MS
        return {name: _state(found[2 * i], found[2 * i + 1], now) for i, name in enumerate(names)}

    def are_down(self, providers: Iterable[str], *, for_seconds: float) -> bool:
        """Say whether every one of them has been down for so long, and none may be tried now."""
        states = self.states(providers).values()
        return bool(states) and all(each.down_seconds > for_seconds and each.rest_seconds > 0 for each in states)


def _state(fields: list[str | None], under_way: int, now: float) -> ProviderState:
    down_since, open_until, probe_until, health, health_at = (float(each) if each else 0.0 for each in fields)
    drift = (now - health_at) / (WELL_AGAIN_SECONDS * _MS)
    return ProviderState(
        down_seconds=(now - down_since) / _MS if down_since else 0.0,
        rest_seconds=max(0.0, open_until - now, probe_until - now) / _MS,
        health=min(1.0, health + drift) if fields[3] else 1.0,
        under_way=under_way,
    )


def provider_key(provider: str) -> str:
    """Name the hash of a provider: breaker, pace, health."""
    return f"sms:provider:{provider}"


def under_way_key(provider: str) -> str:
    """Name the sends that wait for a provider's answer: sorted set, id of the send by when it is given up."""
    return f"sms:provider:{provider}:sends"


class Reach:
    """Knows the routes and how their providers are doing."""

    def __init__(self, routes: Routes, health: ProviderHealth, *, patience_seconds: float) -> None:
        self._routes = routes
        self._health = health
        self._patience_seconds = patience_seconds

    def reaches(self, country: str) -> bool:
        """Say whether some provider of a country works, was there lately, or is due to be tried.

        A promise while all have been down for longer than the patience would end in a text that comes too late. The
        one that is due lets a request through, as nobody would ever find out otherwise that it is back.

        Raises:
            DependencyUnavailable: Redis is away.
        """
        return not self._health.are_down(shares_for(self._routes, country), for_seconds=self._patience_seconds)
