"""Limits the captchas per client address, and of all clients together."""

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

    The limit of all keeps a flood from many addresses from filling Redis: a refused request leaves nothing there.
    """

    def __init__(self, redis: Redis, *, per_address_per_minute: int, per_minute: int) -> None:
        storage = RedisStorage("redis://", connection_pool=redis.connection_pool, key_prefix="captcha:issues")
        self._address_limiter = MovingWindowRateLimiter(storage)
        self._per_address = RateLimitItemPerMinute(per_address_per_minute)
        self._all_limiter = FixedWindowRateLimiter(storage)
        self._per_minute = RateLimitItemPerMinute(per_minute)

    def charge(self, address: str, *, cost: int = 1) -> None:
        """Count a captcha for a client's address, as ``cost`` of them; a refused one is not counted.

        It counts as the whole limit where the limit is lower than its cost.

        Raises:
            TooManyRequests: the address or all together reached the limit; ``Retry-After`` says when the next one is
                free, though a cost of more than 1 may have to wait longer.
            DependencyUnavailable: Redis is away. Without a count no captcha is issued.
        """
        network = client_network(address)
        with redis_errors():
            free_at = self._free_at(network, cost)
        if free_at is not None:
            raise TooManyRequests(retry_after_seconds=max(1, int(free_at - time.time()) + 1))

    def _free_at(self, network: str, cost: int) -> float | None:
        """Count a captcha and return None, or return when the next one is free, in seconds since 1970."""
        for_address, for_all = min(cost, self._per_address.amount), min(cost, self._per_minute.amount)
        # The limit of all comes first, so that a request that it refuses leaves nothing of its address.
        if self._all_limiter.test(self._per_minute, "all", cost=for_all):
            if not self._address_limiter.hit(self._per_address, "moving", network, cost=for_address):
                return self._address_limiter.get_window_stats(self._per_address, "moving", network).reset_time
            if self._all_limiter.hit(self._per_minute, "all", cost=for_all):
                return None
        return self._all_limiter.get_window_stats(self._per_minute, "all").reset_time
