"""How the providers are doing, as the gates of all workers have written it down in Redis."""

from collections.abc import Iterable
from dataclasses import dataclass

from redis import Redis

from chassis.redis_client import redis_errors
from sms_service.routing.routes import Routes, shares_for

WELL_AGAIN_SECONDS = 600  # How long health takes to drift from 0 back to 1.
_MS = 1000


@dataclass(frozen=True)
class ProviderState:
    """How a provider is doing.

    ``down_seconds`` is 0 while its breaker is closed, ``rest_seconds`` is 0 once it may be asked. ``health`` between
    0 and 1 scales its weight, ``under_way`` counts the sends that wait for its answer.
    """

    down_seconds: float
    rest_seconds: float
    health: float
    under_way: int


class ProviderHealth:
    """Looks at providers. Every method raises `DependencyUnavailable` when Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def states(self, providers: Iterable[str]) -> dict[str, ProviderState]:
        """Look how providers are doing."""
        names = list(providers)
        with redis_errors(), self._redis.pipeline(transaction=False) as asked:
            asked.time()
            for name in names:
                asked.hmget(provider_key(name), "down_since", "open_until", "probe_until", "health", "health_at")
                asked.zcard(under_way_key(name))
            (seconds, microseconds), *found = asked.execute()
        now = seconds * _MS + microseconds / _MS
        return {name: _state(found[2 * i], found[2 * i + 1], now) for i, name in enumerate(names)}

    def are_down(self, providers: Iterable[str], *, for_seconds: float) -> bool:
        """Say whether every one of them has been down for so long, and none may be tried now."""
        states = self.states(providers).values()
        return bool(states) and all(each.down_seconds > for_seconds and each.rest_seconds > 0 for each in states)


def _state(fields: list[str | None], under_way: int, now: float) -> ProviderState:
    down_since, open_until, probe_until, health, health_at = (float(each) if each else 0.0 for each in fields)
    drift = (now - health_at) / (WELL_AGAIN_SECONDS * _MS)
    return ProviderState(
        down_seconds=(now - down_since) / _MS if down_since else 0.0,
        rest_seconds=max(0.0, open_until - now, probe_until - now) / _MS,
        health=min(1.0, health + drift) if fields[3] else 1.0,
        under_way=under_way,
    )


def provider_key(provider: str) -> str:
    """Name the hash of a provider: breaker, pace, health."""
    return f"sms:provider:{provider}"


def under_way_key(provider: str) -> str:
    """Name the sends that wait for a provider's answer: sorted set, id of the send by when it is given up."""
    return f"sms:provider:{provider}:sends"


class Reach:
    """Knows the routes and how their providers are doing."""

    def __init__(self, routes: Routes, health: ProviderHealth, *, patience_seconds: float) -> None:
        self._routes = routes
        self._health = health
        self._patience_seconds = patience_seconds

    def reaches(self, country: str) -> bool:
        """Say whether some provider of a country works, was there lately, or is due to be tried.

        A promise while all have been down for longer than the patience would end in a text that comes too late. The
        one that is due lets a request through, as nobody would ever find out otherwise that it is back.

        Raises:
            DependencyUnavailable: Redis is away.
        """
        return not self._health.are_down(shares_for(self._routes, country), for_seconds=self._patience_seconds)
