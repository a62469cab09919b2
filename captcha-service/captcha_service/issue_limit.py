"""How many captchas one address may ask for."""

import time
from ipaddress import IPv6Address, ip_address, ip_network

from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis import Redis

from chassis.errors import TooManyRequests
from chassis.redis_client import redis_errors

# A household or a host gets a whole /64 of IPv6 (RFC 6177), so single addresses would be no limit at all.
_IPV6_PREFIX_BITS = 64


class IssueLimit:
    """Counts the captchas of each address over the last 60 seconds, in Redis, for all processes together."""

    def __init__(self, redis: Redis, *, per_minute: int) -> None:
        storage = RedisStorage("redis://", connection_pool=redis.connection_pool, key_prefix="captcha:issues")
        self._limiter = MovingWindowRateLimiter(storage)
        self._item = RateLimitItemPerMinute(per_minute)

    def charge(self, address: str) -> None:
        """Count one captcha for a client's address; a refused one is not counted.

        Raises:
            TooManyRequests: the address had its share; it says when the next one is free.
            DependencyUnavailable: Redis is away. Without a count nobody gets a captcha.
        """
        network = network_of(address)
        with redis_errors():
            if self._limiter.hit(self._item, "moving", network):
                return
            free_at = self._limiter.get_window_stats(self._item, "moving", network).reset_time
        raise TooManyRequests(retry_after_seconds=max(1, int(free_at - time.time()) + 1))


def network_of(address: str) -> str:
    """Return what counts as one client: an IPv4 address, the /64 of an IPv6 address, ``unknown`` for anything else."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if not isinstance(ip, IPv6Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ip_network((ip, _IPV6_PREFIX_BITS), strict=False))
