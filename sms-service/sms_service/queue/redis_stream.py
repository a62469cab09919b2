"""The queue on a Redis stream (Redis 6.2 or later): for one machine, where Redis keeps the codes anyway.

Delayed jobs wait in a sorted set by the time they are due. Dead letters have a stream of their own, with the reason.
"""

import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any  # The entries of a stream come as redis-py parses them.

from redis import Redis, RedisError, ResponseError
from structlog import get_logger

from chassis.lua import load_script
from chassis.redis_client import redis_errors
from sms_service import metrics
from sms_service.queue.interface import DeadJob, InspectionFailed, Lease, NoSuchDeadJob, NotPublished, PublishFailure
from sms_service.queue.job import JobMalformed, SendJob

log = get_logger(__name__)
STREAM, DELAYED, DEAD, GROUP = "sms:queue", "sms:queue:delayed", "sms:queue:dead", "workers"
_DEAD_KEPT = 10_000
_LONGEST_BLOCK_SECONDS = 1.0  # Shorter than the client's socket time-out of 2 s.
_MOST_DELIVERIES = 10  # As the quorum queue's x-delivery-limit: a poison message, which kills its workers, stops here.
_MOVED_AT_ONCE = 100


class RedisStreamPublisher:
    """Puts jobs on the stream; Redis confirms by answering."""

    def __init__(self, redis: Redis, *, capacity_jobs: int) -> None:
        self._redis = redis
        self._capacity = capacity_jobs
        self._add = load_script(redis, __file__, "add")

    def publish(self, job: SendJob) -> None:
        """Put a job on the stream, as `JobPublisher.publish`."""
        try:
            entry_id = self._add([STREAM, DELAYED], [job.to_body(), self._capacity])
        except RedisError as error:
            raise NotPublished(PublishFailure.LOST) from error
        if entry_id is None:
            raise NotPublished(PublishFailure.REFUSED)

    def is_up(self) -> bool:
        """Say whether Redis answers."""
        with redis_errors():
            return bool(self._redis.ping())

    def close_connections(self) -> None:
        """Close the pool."""
        self._redis.close()


class RedisStreamConsumer:
    """Leases jobs as one consumer of the group; another consumer claims what a dead one held after a while."""

    def __init__(self, redis: Redis, *, reclaim_after_seconds: float) -> None:
        self._redis = redis
        self._name = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
        self._idle_ms = int(reclaim_after_seconds * 1000)
        self._next_reclaim = 0.0
        self._has_group = self._is_stopped = False
        self._delay, self._move_due = (load_script(redis, __file__, name) for name in ("delay", "move_due"))

    def lease(self, *, limit: int, wait_seconds: float) -> list[Lease]:
        """Lease jobs, as `JobConsumer.lease`: first those of dead workers, then new ones."""
        if self._is_stopped:
            return []
        try:
            self._make_group()
            now_ms = int(self._move_due([STREAM, DELAYED], [_MOVED_AT_ONCE]))
            entries = self._reclaim_entries(limit) or self._read_entries(limit, wait_seconds)
        except RedisError as error:
            if isinstance(error, ResponseError) and "NOGROUP" in str(error):  # Redis was emptied.
                self._has_group = False
            log.warning("queue_unreachable", error=str(error))
            time.sleep(min(wait_seconds, _LONGEST_BLOCK_SECONDS))
            return []
        leases = (self._lease_entry(entry, now_ms) for entry in entries)
        return [lease for lease in leases if lease is not None]

    def _make_group(self) -> None:
        if self._has_group:
            return
        try:
            self._redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        self._has_group = True

    def _reclaim_entries(self, limit: int) -> list[Any]:
        """Claim what a dead worker held, only a few times per idle time, because Redis scans the pending list."""
        if time.monotonic() < self._next_reclaim:
            return []
        # Redis 6.2 answers two items, 7.0 a third one (ids that were deleted).
        _, claimed, *_ = self._redis.xautoclaim(STREAM, GROUP, self._name, self._idle_ms, count=limit)
        entries = [entry for entry in claimed if entry[1]]
        if len(entries) < limit:
            self._next_reclaim = time.monotonic() + self._idle_ms / 4000
        return [entry for entry in entries if not self._dead_letter_if_poison(entry)]

    def _read_entries(self, limit: int, wait_seconds: float) -> list[Any]:
        block_ms = max(1, int(min(wait_seconds, _LONGEST_BLOCK_SECONDS) * 1000))
        answer: Any = self._redis.xreadgroup(GROUP, self._name, {STREAM: ">"}, count=limit, block=block_ms)
        return answer[0][1] if answer else []

    def _lease_entry(self, entry: Any, now_ms: int) -> Lease | None:
        entry_id, fields = entry
        try:
            job = SendJob.from_body(fields.get("body", ""))
        except JobMalformed:
            self._move_to_dead(entry_id, fields.get("body", ""), "malformed")
            return None
        if job.exp * 1000 <= now_ms:
            self._move_to_dead(entry_id, job.to_body(), "expired")
            return None
        return Lease(job, entry_id)

    def _dead_letter_if_poison(self, entry: Any) -> bool:
        """Dead-letter an entry that was delivered too often, and say whether it was one."""
        pending = self._redis.xpending_range(STREAM, GROUP, entry[0], entry[0], 1)
        if not pending or int(pending[0]["times_delivered"]) <= _MOST_DELIVERIES:
            return False
        self._move_to_dead(entry[0], entry[1].get("body", ""), "delivery_limit")
        return True

    def _move_to_dead(self, entry_id: str, body: str, reason: str) -> None:
        metrics.DEAD.labels(reason).inc()
        log.warning("job_buried", entry=entry_id, reason=reason)
        with self._redis.pipeline(transaction=True) as transaction:
            transaction.xadd(DEAD, {"body": body, "reason": reason}, maxlen=_DEAD_KEPT)
            transaction.xack(STREAM, GROUP, entry_id)
            transaction.xdel(STREAM, entry_id)
            transaction.execute()

    def extend(self, lease: Lease) -> None:
        """Start the idle time of the entry anew, after which others claim it, as `JobConsumer.extend`."""
        with redis_errors():
            self._redis.xclaim(STREAM, GROUP, self._name, 0, [str(lease.delivery_tag)], justid=True)

    def ack(self, lease: Lease) -> None:
        """Remove a job, as `JobConsumer.ack`."""
        with redis_errors(), self._redis.pipeline(transaction=True) as transaction:
            transaction.xack(STREAM, GROUP, str(lease.delivery_tag))
            transaction.xdel(STREAM, str(lease.delivery_tag))
            transaction.execute()

    def requeue(self, lease: Lease, job: SendJob, *, delay_seconds: int) -> None:
        """Delay the next attempt, as `JobConsumer.requeue`."""
        try:
            self._delay([STREAM, DELAYED], [GROUP, str(lease.delivery_tag), job.to_body(), delay_seconds * 1000])
        except RedisError as error:
            raise NotPublished(PublishFailure.LOST) from error

    def dead_letter(self, lease: Lease, reason: str) -> None:
        """Move a job to the dead stream, as `JobConsumer.dead_letter`."""
        try:
            self._move_to_dead(str(lease.delivery_tag), lease.job.to_body(), reason)
        except RedisError as error:
            raise NotPublished(PublishFailure.LOST) from error

    def is_up(self) -> bool:
        """Say whether Redis answers."""
        with redis_errors():
            return bool(self._redis.ping())

    def stop(self) -> None:
        """Lease no more jobs."""
        self._is_stopped = True

    def close_connections(self) -> None:
        """Close the pool. The consumer's name stays while it holds jobs; others claim them."""
        try:
            if not self._redis.xpending_range(STREAM, GROUP, "-", "+", 1, consumername=self._name):
                self._redis.xgroup_delconsumer(STREAM, GROUP, self._name)
        except RedisError as error:
            log.warning("queue_unreachable", error=str(error))
        self._redis.close()


@dataclass(frozen=True)
class StreamInspection:
    """Shows operators the stream, through the one client of the command."""

    redis: Redis

    def depths(self) -> dict[str, int]:
        """Count the entries, as `QueueInspection.depths`; those that a worker has leased are among the stream's."""
        with _inspection_errors():
            return {STREAM: self.redis.xlen(STREAM), DELAYED: self.redis.zcard(DELAYED), DEAD: self.redis.xlen(DEAD)}

    def list_dead(self, limit: int) -> list[DeadJob]:
        """Read dead jobs, as `QueueInspection.list_dead`."""
        with _inspection_errors():
            return [dead for _, dead in self._entries(limit)]

    def drop_dead(self, dead_id: str) -> None:
        """Delete a dead job, as `QueueInspection.drop_dead`."""
        with _inspection_errors():
            self.redis.xdel(DEAD, self._find_entry(dead_id)[0])

    def replay_dead(self, dead_id: str) -> None:
        """Move a dead job to the stream in one step, as `QueueInspection.replay_dead`."""
        with _inspection_errors(), self.redis.pipeline(transaction=True) as transaction:
            entry_id, dead = self._find_entry(dead_id)
            transaction.xadd(STREAM, {"body": dead.body})
            transaction.xdel(DEAD, entry_id)
            transaction.execute()

    def _find_entry(self, dead_id: str) -> tuple[str, DeadJob]:
        for entry_id, dead in self._entries(None):
            if dead.id == dead_id:
                return entry_id, dead
        raise NoSuchDeadJob

    def _entries(self, limit: int | None) -> Iterator[tuple[str, DeadJob]]:
        entries: Any = self.redis.xrange(DEAD, count=limit)
        for entry_id, fields in entries:
            died_at = datetime.fromtimestamp(int(entry_id.partition("-")[0]) / 1000, UTC)
            yield entry_id, DeadJob(fields.get("body", ""), fields.get("reason", ""), died_at)


@contextmanager
def _inspection_errors() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise InspectionFailed(f"Redis: {error or type(error).__name__}") from error
