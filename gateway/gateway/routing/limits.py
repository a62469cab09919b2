"""Limits operations per address of the client, or per user, in Redis, for all workers together.

These limits fail open: while Redis is away every request passes, and ``gateway_limits_unreachable_total`` counts it.
They only keep a flood away from the services. captcha-service, sms-service and user-service count again what protects
money, codes and passwords, exactly and failing closed.
"""

import math
import time
from collections.abc import Callable

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter
from structlog import get_logger

from chassis.addresses import client_network
from chassis.errors import TooManyRequests
from gateway.metrics import LIMITED, LIMITS_UNREACHABLE
from gateway.routing.rules import Limit, RouteLimit
from gateway.settings import Settings

log = get_logger(__name__)
_TIMEOUT_SECONDS = 0.25
_ITEMS: dict[int, type[RateLimitItem]] = {
    1: RateLimitItemPerSecond,
    60: RateLimitItemPerMinute,
    3600: RateLimitItemPerHour,
}
_PAUSE_SECONDS = 2.0  # After a failure no request asks Redis for so long, so that an outage adds no latency.


class RequestLimits:
    """The limits of `Settings` per address, and those of the operator's routes; each is a sliding window counter."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        url = settings.redis_url.get_secret_value()
        storage = storage_from_string(
            url.replace("unix://", "redis+unix://", 1) if url.startswith("unix://") else url,
            key_prefix="gateway:limits",
            wrap_exceptions=True,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
        )
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._items = {
            limit: RateLimitItemPerMinute(getattr(settings, f"{limit}_per_ip_per_minute"), namespace=limit)
            for limit in Limit
        }
        self._clock = clock
        self._paused_until = 0.0

    def charge(self, limit: Limit, client_ip: str, *, cost: int = 1) -> None:
        """Count a request as ``cost`` of them, at most as the whole limit.

        Raises:
            TooManyRequests: the limit of this time is reached; ``Retry-After`` says when to try again.
        """
        self._hit(self._items[limit], client_network(client_ip), cost=cost, label=limit.value)

    def charge_route(self, limit: RouteLimit, *, user_id: int | None, client_ip: str) -> None:
        """Count a request to a route of the operator; by the address, if the limit is per user and nobody is signed in.

        Raises:
            TooManyRequests: as above.
        """
        is_user = limit.per_user and user_id is not None
        subject = f"user:{user_id}" if is_user else client_network(client_ip)
        item = _ITEMS[limit.window_seconds](limit.amount, namespace=f"route:{limit.route}")
        self._hit(item, subject, cost=1, label=limit.route)

    def _hit(self, item: RateLimitItem, subject: str, *, cost: int, label: str) -> None:
        if self._clock() < self._paused_until:
            LIMITS_UNREACHABLE.inc()
            return
        try:
            if self._limiter.hit(item, subject, cost=min(cost, item.amount)):
                return
            reset_at = self._limiter.get_window_stats(item, subject).reset_time
        except StorageError as error:
            self._paused_until = self._clock() + _PAUSE_SECONDS
            LIMITS_UNREACHABLE.inc()
            log.warning("limits_unreachable", error=type(error.storage_error).__name__)
            return
        LIMITED.labels(label).inc()
        raise TooManyRequests(retry_after_seconds=max(1, math.ceil(reset_at - time.time())))
