"""Refresh tokens: what they look like, and what a presented one means.

A token is ``<session id>.<generation>.<secret>``. The first secret is random; each use replaces it by
HMAC-SHA256(key, session id, generation, old secret). The database stores only the SHA-256 of the newest secret. Still:

1. Two requests with the same token compute the same successor, so parallel refreshes need no stored secret.
2. The successors of a genuine older token lead to the newest one, so its reuse is noticed at any age. A made-up token
   does not lead there and ends no session, though its session id stands in every access token.

Known weakness: an attacker who has both the HMAC key and one token can compute every later one.
"""

import base64
import enum
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from user_service.models import UserSession

_FORM = re.compile(r"([0-9a-f]{32})\.(0|[1-9][0-9]{0,8})\.([A-Za-z0-9_-]{43})")
# A session of 30 days refreshed every 10 minutes has 4,320 generations; each step costs about a microsecond.
_MOST_STEPS = 10_000


@dataclass(frozen=True)
class RefreshToken:
    """The three parts of one token."""

    session_id: str
    generation: int
    secret: str

    def __str__(self) -> str:
        return f"{self.session_id}.{self.generation}.{self.secret}"

    def __repr__(self) -> str:
        return f"RefreshToken({self.session_id}, generation {self.generation})"

    @property
    def digest(self) -> str:
        """The value that the database stores. The secret has 256 bits, so a fast hash is enough."""
        return hashlib.sha256(self.secret.encode()).hexdigest()


@dataclass(frozen=True)
class Lifetimes:
    """The longest life of a session, its longest life unused, and how long a used token still gets its successor.

    The last is the life of an access token: a phone whose answer was lost asks again when it has a network again, at
    the latest when its access token expires.
    """

    absolute: timedelta
    idle: timedelta
    repeatable: timedelta


class Verdict(enum.Enum):
    """What a presented token means."""

    CURRENT = enum.auto()  # The newest token of a live session: rotate it.
    REPEATED = enum.auto()  # The one before, and its successor was never used: answer that successor again.
    REUSED = enum.auto()  # Its successor was used, or much time has passed: it was copied.
    REFUSED = enum.auto()  # Not genuine, or the session is over.


def parse_refresh_token(text: str) -> RefreshToken | None:
    """Split a text into the parts of a token; None if it has not the form of our tokens."""
    parts = _FORM.fullmatch(text)
    return RefreshToken(parts[1], int(parts[2]), parts[3]) if parts else None


class RefreshTokens:
    """Makes and judges refresh tokens, without input or output."""

    def __init__(self, key: str, lifetimes: Lifetimes) -> None:
        self._key = key.encode()
        self._lifetimes = lifetimes

    def first_token(self, session_id: str) -> RefreshToken:
        """Draw the first token of a session."""
        return RefreshToken(session_id, 0, secrets.token_urlsafe(32))

    def successor(self, token: RefreshToken) -> RefreshToken:
        """Compute the token that replaces this one."""
        mac = hmac.digest(self._key, b"refresh token " + str(token).encode(), "sha256")
        secret = base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
        return replace(token, generation=token.generation + 1, secret=secret)

    def judge_token(self, token: RefreshToken, session: UserSession, now: datetime) -> Verdict:
        """Decide what a presented token of this session means."""
        age = session.refresh_generation - token.generation
        if not self._is_genuine(token, age, session.refresh_hash):
            return Verdict.REFUSED
        if age > 1 or (age == 1 and now > session.last_used_at + self._lifetimes.repeatable):
            return Verdict.REUSED
        unused_until = session.last_used_at + self._lifetimes.idle
        if session.revoked_at is not None or now >= session.expires_at or now >= unused_until:
            return Verdict.REFUSED
        return Verdict.REPEATED if age else Verdict.CURRENT

    def _is_genuine(self, token: RefreshToken, age: int, newest_digest: str) -> bool:
        if not 0 <= age <= _MOST_STEPS:
            return False
        for _ in range(age):
            token = self.successor(token)
        return hmac.compare_digest(token.digest, newest_digest)
