"""The jobs that nobody will send: kept on a stream of their own, with the reason, for people to look at."""

from typing import Any  # The entries of a stream come as redis-py parses them.

from redis import Redis
from structlog import get_logger

from sms_service import metrics
from sms_service.queues.redis_stream import STREAM

log = get_logger(__name__)
DEAD, GROUP = "sms:queue:dead", "workers"
_KEPT = 10_000
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
