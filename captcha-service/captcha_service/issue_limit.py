"""How many captchas one address may ask for, and all together."""

import time

from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter
from redis import Redis

from chassis.addresses import client_network
from chassis.errors import TooManyRequests
from chassis.redis_client import redis_errors


class IssueLimit:
    """Counts the captchas of each address over the last 60 seconds, and of all by the minute, in Redis.

    The bound of all keeps a flood from many addresses from filling Redis: nothing is kept of what it refuses.
    """

    def __init__(self, redis: Redis, *, per_address_per_minute: int, per_minute: int) -> None:
        storage = RedisStorage("redis://", connection_pool=redis.connection_pool, key_prefix="captcha:issues")
        self._addresses = MovingWindowRateLimiter(storage)
        self._each = RateLimitItemPerMinute(per_address_per_minute)
        self._everybody = FixedWindowRateLimiter(storage)
        self._all = RateLimitItemPerMinute(per_minute)

    def charge(self, address: str) -> None:
        """Count one captcha for a client's address; a refused one is not counted.

        Raises:
            TooManyRequests: the address had its share, or all had theirs; it says when the next one is free.
            DependencyUnavailable: Redis is away. Without a count nobody gets a captcha.
        """
        network = client_network(address)
        with redis_errors():
            free_at = self._free_at(network)
        if free_at is not None:
            raise TooManyRequests(retry_after_seconds=max(1, int(free_at - time.time()) + 1))

    def _free_at(self, network: str) -> float | None:
        """Count; if that is refused, say when it will not be, in seconds since 1970."""
        # All are asked first, so that nothing is kept of an address that is refused for their sake.
        if self._everybody.test(self._all, "all"):
            if not self._addresses.hit(self._each, "moving", network):
                return self._addresses.get_window_stats(self._each, "moving", network).reset_time
            if self._everybody.hit(self._all, "all"):
                return None
        return self._everybody.get_window_stats(self._all, "all").reset_time
