"""Limits of what people do here, in Redis, for all workers together."""

import math
import time
from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis import Redis

from chassis.errors import TooManyRequests
from chassis.redis_client import redis_errors


class RateLimits:
    """Counts actions per minute in sliding windows. They fail closed: a flood would else only wait for an outage."""

    def __init__(self, redis: Redis) -> None:
        storage = RedisStorage("redis://", connection_pool=redis.connection_pool, key_prefix="news:limits")
        self._limiter = SlidingWindowCounterRateLimiter(storage)

    def charge(self, action: str, subject: str, *, per_minute: int) -> None:
        """Count an action of a subject, which is a user's id or a network.

        Raises:
            TooManyRequests: the limit is reached; ``Retry-After`` says when the window ends.
            DependencyUnavailable: Redis is away.
        """
        item = RateLimitItemPerMinute(per_minute, namespace=action)
        with redis_errors():
            if self._limiter.hit(item, subject):
                return
            reset_at = self._limiter.get_window_stats(item, subject).reset_time
        raise TooManyRequests(retry_after_seconds=max(1, math.ceil(reset_at - time.time())))


@dataclass(frozen=True)
class ReactionLimit:
    """The limit of one user's likes, favourites and follows together, set or taken back."""

    limits: RateLimits
    per_minute: int

    def charge(self, user_id: int) -> None:
        """Count a reaction.

        Raises:
            TooManyRequests, DependencyUnavailable: as `RateLimits.charge`.
        """
        self.limits.charge("reactions", str(user_id), per_minute=self.per_minute)
