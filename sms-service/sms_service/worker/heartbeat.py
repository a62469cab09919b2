"""The heartbeat of a worker: it tells the API that somebody works, and remembers the kill switch for Redis."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from redis import Redis
from structlog import get_logger

from chassis.lua import load_script
from chassis.redis_client import redis_errors
from sms_service.codes.keys import (
    DATA_KEY,
    KILL_SWITCH_CHANGED_KEY,
    KILL_SWITCH_KEY,
    WAITING_KEY,
    WORKERS_KEY,
)

log = get_logger(__name__)
BEAT_SECONDS = 2.0
# A job of a dead worker comes back sooner; until then it only seems to be lost.
_LOST_SECONDS = 30
_KEYS = [WORKERS_KEY, WAITING_KEY, KILL_SWITCH_KEY, KILL_SWITCH_CHANGED_KEY, DATA_KEY]


@dataclass(frozen=True)
class _SeenSwitch:
    """The kill switch, as a worker last saw it on; all members are empty if it was off."""

    changed_ms: str = ""
    reason: str = ""
    since: str = ""


class Heartbeat:
    """The heartbeat of one worker. Redis keeps it for ``seen_within_seconds`` after the last beat, by its own clock.

    Both methods that write raise `DependencyUnavailable` when Redis is away.
    """

    def __init__(
        self, redis: Redis, *, seen_within_seconds: float, code_ttl_seconds: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._redis = redis
        self._worker = uuid.uuid4().hex
        self._seen_within_seconds = seen_within_seconds
        self._code_ttl_seconds = code_ttl_seconds
        self._clock = clock
        self._beaten_at: float | None = None
        self._data_since = ""
        self._switch = _SeenSwitch()
        self._script = load_script(redis, __file__, "heartbeat")

    def is_due(self) -> bool:
        """Say whether the next beat should come now."""
        return self._beaten_at is None or self._clock() - self._beaten_at >= BEAT_SECONDS

    def beat(self, *, is_idle: bool) -> None:
        """Say that this worker takes jobs; ``is_idle`` if it has just found none on the queue.

        An idle worker proves that a request that has waited for half a minute is lost, and not waiting: its API died
        before the publish, or the queue lost it. Such a request must not look like a backlog.
        """
        arguments: list[str | int] = [
            self._worker, int(self._seen_within_seconds * 1000), self._code_ttl_seconds * 1000,
            _LOST_SECONDS * 1000 if is_idle else "", self._data_since,
            self._switch.changed_ms, self._switch.reason, self._switch.since,
        ]  # fmt: skip
        with redis_errors():
            was_lost, was_turned_on, self._data_since, *switch = self._script(_KEYS, arguments)
        if was_lost:
            log.error("redis_lost_data")
        if was_turned_on:
            log.error("kill_switch_turned_on_again", reason=self._switch.reason)
        self._switch = _SeenSwitch(*switch)
        self._beaten_at = self._clock()

    def leave(self) -> None:
        """Say that this worker takes no more jobs; if it was the last one, requests are refused from now on."""
        with redis_errors():
            self._redis.zrem(WORKERS_KEY, self._worker)

    def check(self) -> None:
        """Return if the API counts this worker as alive.

        Raises:
            ConnectionError: it does not.
        """
        if self._beaten_at is None or self._clock() - self._beaten_at >= self._seen_within_seconds:
            raise ConnectionError("the API has not heard of this worker lately")
