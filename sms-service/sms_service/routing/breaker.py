"""The circuit breaker of each provider, with its pace, parallel sends and health; all workers share it through Redis.

It opens after some failures in a row, and at once when the provider cannot be used (credentials, balance, templates).
Afterwards it lets one job through as a probe; each time that the probe fails too, it opens for longer. We wrote it
ourselves because a library cannot do these three things in one step: ask the breaker, count the send against the pace,
and write on the job that it may have been texted.
"""

import enum
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any  # redis-py types the replies of a pipeline so.

from redis import Redis
from redis.client import Pipeline
from structlog import get_logger

from chassis.lua import load_script
from chassis.redis_client import redis_errors
from sms_service import metrics
from sms_service.codes.keys import KILL_SWITCH_KEY, job_key, job_reference_key
from sms_service.providers.provider import Outcome, ProviderAnswer
from sms_service.queue.job import SendJob
from sms_service.routing.routes import Pace

log = get_logger(__name__)
_MS = 1000
_FAILURES_IN_A_ROW = 5
_FIRST_OPEN_SECONDS, _FIRST_OPEN_UNUSABLE_SECONDS, _LONGEST_OPEN_SECONDS = 10, 30, 600
_BUSY_SECONDS = 1.0  # When a busy provider does not say how long.
_SEND_SECONDS = 12  # Longer than any provider call (8 s); a send that takes longer belongs to a dead worker.
_HEALTH_WINDOW_SECONDS = 120
_FEWEST_ATTEMPTS = 10  # So that one failure of a provider that is seldom asked says little.


class Signal(enum.StrEnum):
    """What an answer says about the state of a provider."""

    WORKS = "works"
    BUSY = "busy"
    FAILS = "fails"
    UNUSABLE = "unusable"


_SIGNALS = {
    Outcome.REFUSED_BUSY: Signal.BUSY,
    Outcome.NOT_SENT: Signal.FAILS,
    Outcome.REFUSED_UNLISTED: Signal.FAILS,
    Outcome.UNCERTAIN: Signal.FAILS,
    Outcome.REFUSED_CONFIG: Signal.UNUSABLE,
}


class CircuitOpen(Exception):
    """The provider may not be called now: breaker, pace or parallel sends. Try again after ``wait_seconds``."""

    def __init__(self, wait_seconds: float) -> None:
        super().__init__()
        self.wait_seconds = wait_seconds


class JobOver(Exception):
    """The job is not being sent any more: another worker finished it, or Redis lost it."""


class JobTaken(Exception):
    """Another worker sends this job, or died while it did. Only a repetition that is safe may follow."""


class TextsStopped(Exception):
    """The kill switch is on."""


@dataclass(frozen=True)
class Send:
    """One call of one provider for one job. ``is_repetition``: an earlier send may have texted, and this is safe."""

    job: SendJob
    provider: str
    is_repetition: bool = False
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def keys(self) -> list[str]:
        """The Redis keys that both scripts take first."""
        return [job_key(self.job.mobile_hash, self.job.id), provider_key(self.provider), in_flight_key(self.provider)]


class CircuitBreaker:
    """The breakers of all providers. Every method raises `DependencyUnavailable` when Redis is away."""

    def __init__(self, redis: Redis, paces: Mapping[str, Pace]) -> None:
        self._paces = paces
        self._acquire, self._record = (load_script(redis, __file__, name) for name in ("acquire", "record"))

    def acquire(self, send: Send) -> None:
        """Get permission for one send; from now on the job is marked as possibly texted.

        Raises:
            CircuitOpen, JobOver, JobTaken, TextsStopped: as they say.
        """
        pace = self._paces[send.provider]
        arguments: list[str | int] = [
            send.id, send.provider, "1" if send.is_repetition else "0",
            pace.sends_per_second, pace.parallel_sends, _SEND_SECONDS * _MS,
        ]  # fmt: skip
        with redis_errors():
            reply = self._acquire([*send.keys, job_reference_key(send.job.id), KILL_SWITCH_KEY], arguments)
        match reply[0]:
            case "gone":
                raise JobOver
            case "taken":
                raise JobTaken
            case "killed":
                raise TextsStopped
            case "down" | "busy":
                raise CircuitOpen(reply[1] / _MS)

    def record(self, send: Send, answer: ProviderAnswer) -> None:
        """End a send, and count its answer for or against the provider."""
        signal = _SIGNALS.get(answer.outcome, Signal.WORKS)
        arguments: list[str | int] = [
            send.id, signal, answer.outcome, "1" if answer.outcome.is_refusal else "0",
            int((answer.retry_after_seconds or _BUSY_SECONDS) * _MS), _FAILURES_IN_A_ROW, _FIRST_OPEN_SECONDS * _MS,
            _FIRST_OPEN_UNUSABLE_SECONDS * _MS, _LONGEST_OPEN_SECONDS * _MS, _HEALTH_WINDOW_SECONDS * _MS,
        ]  # fmt: skip
        with redis_errors():
            change, ms = self._record(send.keys, arguments)
        if change == "opened":
            metrics.BREAKER_OPENINGS.labels(send.provider).inc()
            log.error("provider_down", provider=send.provider, outcome=answer.outcome.value, answered=answer.code,
                      rest_seconds=ms / _MS)  # fmt: skip
        elif change == "closed":
            log.info("provider_back", provider=send.provider, down_seconds=ms / _MS)


def provider_key(provider: str) -> str:
    """Name the hash of a provider: breaker, pace, health."""
    return f"sms:provider:{provider}"


def in_flight_key(provider: str) -> str:
    """Name the sends that wait for a provider's answer: sorted set, id of the send by the time it is given up."""
    return f"sms:provider:{provider}:sends"


_HEALTH_FIELDS = ("health_since", "attempts", "failed", "attempts_before", "failed_before")


@dataclass(frozen=True)
class ProviderState:
    """The state of a provider.

    ``down_seconds`` is 0 while its breaker is closed, ``retry_seconds`` is 0 once it may be called. ``health`` scales
    its weight: the share of the attempts of the last two minutes that did not fail. An attempt fails if the provider
    was busy, away, unusable or unclear, not if it refused the recipient. Fewer than 10 attempts count as 10: those that
    are missing did not fail. ``in_flight`` counts the sends that wait for its answer.
    """

    down_seconds: float
    retry_seconds: float
    health: float
    in_flight: int


@dataclass(frozen=True)
class ProviderHealth:
    """Reads what the breakers have recorded. Every method raises `DependencyUnavailable` when Redis is away."""

    redis: Redis

    def load_states(self, providers: Iterable[str]) -> dict[str, ProviderState]:
        """Read the states of some providers."""
        names = list(providers)
        with redis_errors(), self.redis.pipeline(transaction=False) as pipeline:
            pipeline.time()
            request_states(pipeline, names)
            (seconds, microseconds), *replies = pipeline.execute()
        return parse_states(names, replies, now_ms=seconds * _MS + microseconds / _MS)


def request_states(pipeline: Pipeline, providers: Sequence[str]) -> None:
    """Add two commands for each provider to a pipeline; their replies are what `parse_states` takes."""
    for name in providers:
        pipeline.hmget(provider_key(name), "down_since", "open_until", "probe_until", *_HEALTH_FIELDS)
        pipeline.zcard(in_flight_key(name))


def parse_states(providers: Sequence[str], replies: Sequence[Any], *, now_ms: float) -> dict[str, ProviderState]:
    """Read the replies; ``now_ms`` is the time of Redis."""
    pairs = zip(replies[::2], replies[1::2], strict=True)
    return {name: _parse_state(*pair, now_ms) for name, pair in zip(providers, pairs, strict=True)}


def are_down(states: Iterable[ProviderState], *, for_seconds: float) -> bool:
    """Say whether all of some providers have been down for so long, and none may be tried now."""
    found = list(states)
    return bool(found) and all(state.down_seconds > for_seconds and state.retry_seconds > 0 for state in found)


def _parse_state(fields: list[str | None], in_flight: int, now: float) -> ProviderState:
    down_since, open_until, probe_until, *counted = (float(value) if value else 0.0 for value in fields)
    return ProviderState(
        down_seconds=(now - down_since) / _MS if down_since else 0.0,
        retry_seconds=max(0.0, open_until - now, probe_until - now) / _MS,
        health=_health(*counted, now=now),
        in_flight=in_flight,
    )


def _health(since: float, attempts: float, failed: float, *before: float, now: float) -> float:
    """Compute the health of a provider from two windows in a row; the last one began at ``since``.

    A sliding window counter: of the window before, as large a part counts as still lies within the last two minutes.
    Its weakness: it takes the attempts of that window for evenly spread.
    """
    windows = (now - since) / (_HEALTH_WINDOW_SECONDS * _MS)
    last_weight = 1.0 if windows < 1 else max(0.0, 2 - windows)  # Nobody has begun a new window since.
    before_weight = max(0.0, 1 - windows)
    attempts_before, failed_before = before
    recent = attempts * last_weight + attempts_before * before_weight
    recent_failed = failed * last_weight + failed_before * before_weight
    return 1 - recent_failed / max(recent, _FEWEST_ATTEMPTS)
