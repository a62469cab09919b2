"""The consuming end of the queue on a Redis stream (6.2 or later)."""

import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any  # The entries of a stream come as redis-py parses them.

from redis import Redis, RedisError, ResponseError
from structlog import get_logger

from chassis.lua import load_script
from chassis.redis_client import redis_errors
from sms_service import metrics
from sms_service.queue.interface import DeadJob, InspectionFailed, Lease, NoSuchDeadJob, NotPublished, PublishFailure
from sms_service.queue.job import JobMalformed, SendJob

STREAM, DELAYED = "sms:queue", "sms:queue:delayed"


class RedisStreamPublisher:
    """Puts jobs on the stream; Redis confirms by answering."""

    def __init__(self, redis: Redis, *, capacity_jobs: int) -> None:
        self._redis = redis
        self._capacity = capacity_jobs
        self._add = load_script(redis, __file__, "add")

    def publish(self, job: SendJob) -> None:
        """Put a job on the stream, as `JobPublisher.publish`."""
        try:
            added = self._add([STREAM, DELAYED], [job.to_body(), self._capacity])
        except RedisError as error:
            raise NotPublished(PublishFailure.LOST) from error
        if added is None:
            raise NotPublished(PublishFailure.REFUSED)

    def is_up(self) -> bool:
        """Say whether Redis answers."""
        with redis_errors():
            return bool(self._redis.ping())

    def close(self) -> None:
        """Close the pool."""
        self._redis.close()


log = get_logger(__name__)
DEAD, GROUP = "sms:queue:dead", "workers"
_KEPT = 10_000
_LONGEST_BLOCK_SECONDS = 1.0  # Shorter than the client's socket time-out of 2 s.
_MOST_DELIVERIES = 10  # As the quorum queue's x-delivery-limit: a job that kills its workers stops here.


class DeadStream:
    """Takes entries off the queue for good. Errors of Redis are the caller's to handle."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def take(self, entry_id: str, body: str, reason: str) -> None:
        """Move an entry here, in one step."""
        metrics.DEAD.labels(reason).inc()
        log.warning("job_buried", entry=entry_id, reason=reason)
        with self._redis.pipeline(transaction=True) as transaction:
            transaction.xadd(DEAD, {"body": body, "reason": reason}, maxlen=_KEPT)
            transaction.xack(STREAM, GROUP, entry_id)
            transaction.xdel(STREAM, entry_id)
            transaction.execute()

    def takes_killer(self, entry: Any) -> bool:
        """Take an entry that was delivered too often, and say whether it was one."""
        pending = self._redis.xpending_range(STREAM, GROUP, entry[0], entry[0], 1)
        if not pending or int(pending[0]["times_delivered"]) <= _MOST_DELIVERIES:
            return False
        self.take(entry[0], entry[1].get("body", ""), "delivery_limit")
        return True


class RedisStreamConsumer:
    """Takes jobs off the stream as one consumer of the group; what a dead consumer held is claimed after a while."""

    def __init__(self, redis: Redis, *, reclaim_after_seconds: float) -> None:
        self._redis = redis
        self._name = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
        self._idle_ms = int(reclaim_after_seconds * 1000)
        self._dead = DeadStream(redis)
        self._next_reclaim = 0.0
        self._has_group = self._is_stopped = False
        self._delay, self._move_due = (load_script(redis, __file__, name) for name in ("delay", "move_due"))

    def lease(self, *, limit: int, wait_seconds: float) -> list[Lease]:
        """Take jobs, as `JobConsumer.lease`: first those of dead workers, then new ones."""
        if self._is_stopped:
            return []
        try:
            self._make_group()
            now_ms = int(self._move_due([STREAM, DELAYED], [100]))
            entries = self._reclaimed(limit) or self._new(limit, wait_seconds)
        except ResponseError as error:
            self._has_group = "NOGROUP" not in str(error) and self._has_group  # Redis was emptied.
            return self._nothing(error, wait_seconds)
        except RedisError as error:
            return self._nothing(error, wait_seconds)
        leases = (self._open(entry, now_ms) for entry in entries)
        return [lease for lease in leases if lease is not None]

    def _nothing(self, error: RedisError, wait_seconds: float) -> list[Lease]:
        log.warning("queue_unreachable", error=str(error))
        time.sleep(min(wait_seconds, _LONGEST_BLOCK_SECONDS))
        return []

    def _make_group(self) -> None:
        if self._has_group:
            return
        try:
            self._redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        self._has_group = True

    def _reclaimed(self, limit: int) -> list[Any]:
        """Claim what a dead worker held. Asked for a few times per idle time, as it scans the pending list."""
        if time.monotonic() < self._next_reclaim:
            return []
        # Redis 6.2 answers two items, 7.0 a third one (ids that were deleted).
        _, entries, *_ = self._redis.xautoclaim(STREAM, GROUP, self._name, self._idle_ms, count=limit)
        found = [entry for entry in entries if entry[1]]
        if len(found) < limit:
            self._next_reclaim = time.monotonic() + self._idle_ms / 4000
        return [entry for entry in found if not self._dead.takes_killer(entry)]

    def _new(self, limit: int, wait_seconds: float) -> list[Any]:
        block_ms = max(1, int(min(wait_seconds, _LONGEST_BLOCK_SECONDS) * 1000))
        answer: Any = self._redis.xreadgroup(GROUP, self._name, {STREAM: ">"}, count=limit, block=block_ms)
        return answer[0][1] if answer else []

    def _open(self, entry: Any, now_ms: int) -> Lease | None:
        entry_id, fields = entry
        try:
            job = SendJob.from_body(fields.get("body", ""))
        except JobMalformed:
            self._dead.take(entry_id, fields.get("body", ""), "malformed")
            return None
        if job.exp * 1000 <= now_ms:
            self._dead.take(entry_id, job.to_body(), "expired")
            return None
        return Lease(job, entry_id)

    def keep(self, lease: Lease) -> None:
        """Begin the time anew after which others claim the entry, as `JobConsumer.keep`."""
        with redis_errors():
            self._redis.xclaim(STREAM, GROUP, self._name, 0, [str(lease.receipt)], justid=True)

    def settle(self, lease: Lease) -> None:
        """Take a job off, as `JobConsumer.settle`."""
        with redis_errors(), self._redis.pipeline(transaction=True) as transaction:
            transaction.xack(STREAM, GROUP, str(lease.receipt))
            transaction.xdel(STREAM, str(lease.receipt))
            transaction.execute()

    def hand_over(self, lease: Lease, job: SendJob, *, delay_seconds: int) -> None:
        """Delay the next attempt, as `JobConsumer.hand_over`."""
        try:
            self._delay([STREAM, DELAYED], [GROUP, str(lease.receipt), job.to_body(), delay_seconds * 1000])
        except RedisError as error:
            raise NotPublished(PublishFailure.LOST) from error

    def bury(self, lease: Lease, reason: str) -> None:
        """Move a job to the dead stream, as `JobConsumer.bury`."""
        try:
            self._dead.take(str(lease.receipt), lease.job.to_body(), reason)
        except RedisError as error:
            raise NotPublished(PublishFailure.LOST) from error

    def is_up(self) -> bool:
        """Say whether Redis answers."""
        with redis_errors():
            return bool(self._redis.ping())

    def stop(self) -> None:
        """Take no more jobs."""
        self._is_stopped = True

    def close(self) -> None:
        """Close the pool. The consumer's name stays while it holds jobs; others claim them."""
        try:
            if not self._redis.xpending_range(STREAM, GROUP, "-", "+", 1, consumername=self._name):
                self._redis.xgroup_delconsumer(STREAM, GROUP, self._name)
        except RedisError as error:
            log.warning("queue_unreachable", error=str(error))
        self._redis.close()


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
