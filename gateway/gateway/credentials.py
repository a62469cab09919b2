"""The internal tokens that the gateway adds, written once per session and service for most of a token's life."""

import time
from collections.abc import Callable

from chassis.identity import GATEWAY, LIFETIME_SECONDS, Caller, InternalTokens
from gateway.verifier import Identity

_REUSE_SECONDS = LIFETIME_SECONDS / 2
_CACHED = 20_000


class Credentials:
    """Keeps internal tokens in a bounded cache. Threads share it; at worst a token is written twice."""

    def __init__(self, tokens: InternalTokens, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._tokens = tokens
        self._clock = clock
        self._cache: dict[tuple[str, Identity | None], tuple[str, float]] = {}

    def for_service(self, service: str, identity: Identity | None) -> str:
        """Return a token for one service in the name of a user, or of nobody."""
        known = self._cache.get((service, identity))
        if known is not None and known[1] > self._clock():
            return known[0]
        if len(self._cache) >= _CACHED:
            self._cache = {}
        token = self._tokens.write(identity.caller if identity else Caller(GATEWAY), audience=service)
        self._cache[service, identity] = (token, self._clock() + _REUSE_SECONDS)
        return token
