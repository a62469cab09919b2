"""The operators' look at the queue on a Redis stream."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any  # The entries of a stream come as redis-py parses them.

from redis import Redis, RedisError

from sms_service.queue.inspection import DeadJob, InspectionFailed, NoSuchDeadJob
from sms_service.queue.redis_stream.consumer import DEAD
from sms_service.queue.redis_stream.publisher import DELAYED, STREAM


class StreamInspection:
    """Looks through the one client of the command."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def depths(self) -> dict[str, int]:
        """Count the entries, as `QueueInspection.depths`; those in hand of a worker are among those of the stream."""
        with _failures():
            return {STREAM: self._redis.xlen(STREAM), DELAYED: self._redis.zcard(DELAYED), DEAD: self._redis.xlen(DEAD)}

    def dead(self, limit: int) -> list[DeadJob]:
        """Read dead jobs, as `QueueInspection.dead`."""
        with _failures():
            return [dead for _, dead in self._entries(limit)]

    def drop(self, dead_id: str) -> None:
        """Take a dead job away, as `QueueInspection.drop`."""
        with _failures():
            self._redis.xdel(DEAD, self._find(dead_id)[0])

    def replay(self, dead_id: str) -> None:
        """Move a dead job to the stream in one step, as `QueueInspection.replay`."""
        with _failures(), self._redis.pipeline(transaction=True) as transaction:
            entry_id, dead = self._find(dead_id)
            transaction.xadd(STREAM, {"body": dead.body})
            transaction.xdel(DEAD, entry_id)
            transaction.execute()

    def _find(self, dead_id: str) -> tuple[str, DeadJob]:
        for entry_id, dead in self._entries(None):
            if dead.id == dead_id:
                return entry_id, dead
        raise NoSuchDeadJob

    def _entries(self, limit: int | None) -> Iterator[tuple[str, DeadJob]]:
        entries: Any = self._redis.xrange(DEAD, count=limit)
        for entry_id, fields in entries:
            died_at = datetime.fromtimestamp(int(entry_id.partition("-")[0]) / 1000, UTC)
            yield entry_id, DeadJob(fields.get("body", ""), fields.get("reason", ""), died_at)


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise InspectionFailed(f"Redis: {error or type(error).__name__}") from error
