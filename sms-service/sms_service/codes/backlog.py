"""How long requests have been waiting for a worker."""

from typing import Any

from redis import Redis

from chassis.redis_client import redis_errors
from sms_service.codes.keys import WAITING_KEY


class Backlog:
    """The requests that no worker has claimed yet, as RESERVE wrote them down."""

    def __init__(self, redis: Redis, *, code_ttl_seconds: int) -> None:
        self._redis = redis
        self._code_ttl_seconds = code_ttl_seconds

    def oldest_seconds(self) -> float:
        """Return the age of the oldest one whose code still lives; 0 if there is none.

        Raises:
            DependencyUnavailable: Redis is away.
        """
        with redis_errors():
            seconds, microseconds = self._redis.time()
            now = seconds + microseconds / 1e6
            since = (now - self._code_ttl_seconds) * 1000
            # Any: redis-py types the answers of every protocol version; ours is a list of pairs.
            oldest: Any = self._redis.zrange(WAITING_KEY, since, "+inf", byscore=True, offset=0, num=1, withscores=True)
        return max(0.0, now - oldest[0][1] / 1000) if oldest else 0.0
