"""The signing keys and their states: next -> active -> retiring -> gone. Pure decisions; `key_files` keeps the file.

A key is published a day before it signs, so that every verifier has it by then, and stays published until the last
token that it signed has expired everywhere. So no request fails while keys change.
"""

import enum
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from user_service.tokens.signing_key import SigningKey, read_pems

PUBLISHED_BEFORE_USE = timedelta(hours=24)
# How long a verifier may use the key set it has, and the leeway of its clock; the access token's life comes on top.
SET_MAX_AGE_SECONDS = 300
_LEEWAY_SECONDS = 15


class KeyState(enum.StrEnum):
    """What a key is for now."""

    NEXT = "next"
    ACTIVE = "active"
    RETIRING = "retiring"


class RotationRefused(Exception):
    """The key may not change its state now; the text says why and until when."""


@dataclass(frozen=True)
class RingKey:
    """One key, its state, and since when it has it."""

    key: SigningKey
    state: KeyState
    since: datetime


@dataclass(frozen=True)
class KeyRing:
    """All keys; exactly one is active, and at most one is next."""

    keys: tuple[RingKey, ...]

    def __post_init__(self) -> None:
        states = [entry.state for entry in self.keys]
        if states.count(KeyState.ACTIVE) != 1 or states.count(KeyState.NEXT) > 1:
            raise ValueError("a key ring has one active key, and at most one next")

    @property
    def active(self) -> SigningKey:
        """The key that signs."""
        return next(entry.key for entry in self.keys if entry.state is KeyState.ACTIVE)

    @property
    def next(self) -> RingKey | None:
        """The key that will sign, if it is there already."""
        return next((entry for entry in self.keys if entry.state is KeyState.NEXT), None)

    def public_jwks(self) -> list[dict[str, str]]:
        """Return what verifiers get: the public half of every key."""
        return [entry.key.public_jwk() for entry in self.keys]

    def announce(self, key: SigningKey, now: datetime) -> "KeyRing":
        """Add the next key."""
        return KeyRing((*self.keys, RingKey(key, KeyState.NEXT, now)))

    def promote(self, now: datetime, *, forced: bool = False) -> "KeyRing":
        """Let the next key sign and the active one retire.

        Raises:
            RotationRefused: there is no next key, or it has not been published for a day and this is not ``forced``.
        """
        if self.next is None:
            raise RotationRefused("There is no next key.")
        ready_at = self.next.since + PUBLISHED_BEFORE_USE
        if now < ready_at and not forced:
            raise RotationRefused(f"The next key may sign from {ready_at:%Y-%m-%d %H:%M:%SZ} on.")
        following = {KeyState.NEXT: KeyState.ACTIVE, KeyState.ACTIVE: KeyState.RETIRING}
        changed = [
            replace(entry, state=following[entry.state], since=now) if entry.state in following else entry
            for entry in self.keys
        ]
        return KeyRing(tuple(changed))

    def without_retired(self, now: datetime, *, token_seconds: int) -> "KeyRing":
        """Drop the retiring keys whose last token has expired everywhere."""
        kept_for = timedelta(seconds=token_seconds + SET_MAX_AGE_SECONDS + _LEEWAY_SECONDS)
        return KeyRing(
            tuple(entry for entry in self.keys if entry.state is not KeyState.RETIRING or now < entry.since + kept_for)
        )

    def without(self, kid: str) -> "KeyRing":
        """Drop a key at once: its tokens die, and their sessions are renewed with the active key.

        Raises:
            RotationRefused: there is no such key, or it is the one that signs.
        """
        if kid not in [entry.key.kid for entry in self.keys]:
            raise RotationRefused(f"There is no key {kid}.")
        if kid == self.active.kid:
            raise RotationRefused("This key signs. Rotate first: keys rotate --now.")
        return KeyRing(tuple(entry for entry in self.keys if entry.key.kid != kid))


def ring_of(keys: Sequence[SigningKey], now: datetime) -> KeyRing:
    """Make a ring whose first key signs, while the others are published only."""
    first, *others = keys
    return KeyRing(
        (RingKey(first, KeyState.ACTIVE, now), *(RingKey(other, KeyState.RETIRING, now) for other in others))
    )


def write_ring(ring: KeyRing) -> bytes:
    """Write a ring down, private keys and all."""
    entries = [
        {"kid": entry.key.kid, "state": entry.state, "since": entry.since.isoformat(), "pem": entry.key.pem()}
        for entry in ring.keys
    ]
    return json.dumps({"keys": entries}, indent=1).encode() + b"\n"


def read_ring(text: bytes, now: datetime) -> KeyRing:
    """Read what `write_ring` wrote, or the PEM of one key.

    Raises:
        ValueError: neither; the text is never repeated.
    """
    if not text.lstrip().startswith(b"{"):
        return ring_of(read_pems(text), now)
    try:
        entries = json.loads(text)["keys"]
        keys = [
            RingKey(SigningKey(entry["pem"].encode()), KeyState(entry["state"]), datetime.fromisoformat(entry["since"]))
            for entry in entries
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("the file holds no key ring") from error
    return KeyRing(tuple(keys))
