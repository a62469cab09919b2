"""The internal tokens that go with forwarded requests, written once and used again."""

import time
from collections.abc import Callable

from chassis.identity import GATEWAY, LIFETIME_SECONDS, Caller, InternalTokens
from gateway.auth.verifier import Identity

_REUSE_SECONDS = LIFETIME_SECONDS / 2


class InternalTokenCache:
    """Writes an internal token once per session and service, and reuses it for half of its life.

    Threads share this; at worst a token is written twice.
    """

    def __init__(
        self, tokens: InternalTokens, *, cached_tokens: int = 20_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tokens = tokens
        self._cached_tokens = cached_tokens
        self._clock = clock
        self._cache: dict[tuple[str, Identity | None], tuple[str, float]] = {}

    def token_for(self, service: str, identity: Identity | None) -> str:
        """Return a token for one service in the name of a user, or of nobody."""
        known = self._cache.get((service, identity))
        if known is not None and known[1] > self._clock():
            return known[0]
        if len(self._cache) >= self._cached_tokens:
            self._cache = {}
        token = self._tokens.write_token(identity.caller if identity else Caller(GATEWAY), audience=service)
        self._cache[service, identity] = (token, self._clock() + _REUSE_SECONDS)
        return token
