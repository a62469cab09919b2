"""The tokens that go with forwarded requests, written once and used again."""

import time
from collections.abc import Callable
from typing import Generic, TypeVar

from chassis.identity import LIFETIME_SECONDS
from gateway.auth.verifier import Identity

_REUSE_SECONDS = LIFETIME_SECONDS / 2
Sender = TypeVar("Sender", bound=Identity | None)


class TokenCache(Generic[Sender]):
    """Writes a token once per session and service, and reuses it for half of its life of 60 seconds.

    ``write`` takes a service and who is signed in; None, where that is nobody. Threads share this; at worst a token is
    written twice.
    """

    def __init__(
        self,
        write: Callable[[str, Sender], str],
        *,
        cached_tokens: int = 20_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write = write
        self._cached_tokens = cached_tokens
        self._clock = clock
        self._cache: dict[tuple[str, Sender], tuple[str, float]] = {}

    def token_for(self, service: str, identity: Sender) -> str:
        """Return a token for one service in the name of a user, or of nobody."""
        known = self._cache.get((service, identity))
        if known is not None and known[1] > self._clock():
            return known[0]
        if len(self._cache) >= self._cached_tokens:
            self._cache = {}
        token = self._write(service, identity)
        self._cache[service, identity] = (token, self._clock() + _REUSE_SECONDS)
        return token
