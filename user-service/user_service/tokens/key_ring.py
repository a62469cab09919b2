"""The signing keys, their states (next -> active -> retiring -> gone), and where they are stored.

A key is published a day before it signs, so that every verifier has it by then. It stays published until the last
token that it signed has expired everywhere. So no request fails while keys change. `KeyRing` decides and does no input
or output; `KeyFile` stores a ring in a file that several processes share.
"""

import enum
import fcntl
import json
import os
import stat
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from structlog import get_logger

from user_service.tokens.signing_key import SigningKey, new_key, read_pems

log = get_logger(__name__)
PUBLISHED_BEFORE_USE = timedelta(hours=24)
# How long a verifier may use a key set that it fetched, and the leeway of its clock.
SET_MAX_AGE_SECONDS = 300
_LEEWAY_SECONDS = 15


class KeyState(enum.StrEnum):
    """What a key is used for now."""

    NEXT = "next"
    ACTIVE = "active"
    RETIRING = "retiring"


class RotationRefused(Exception):
    """The key may not change its state now. The text says why, and from when on it may."""


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
        """The key that will sign after the active one, or None."""
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
        """Drop a key at once. Its tokens are refused; their sessions refresh their tokens with the active key.

        Raises:
            RotationRefused: there is no such key, or it is the one that signs.
        """
        if kid not in [entry.key.kid for entry in self.keys]:
            raise RotationRefused(f"There is no key {kid}.")
        if kid == self.active.kid:
            raise RotationRefused("This key signs. Rotate first: keys rotate --now.")
        return KeyRing(tuple(entry for entry in self.keys if entry.key.kid != kid))


def make_ring(keys: Sequence[SigningKey], now: datetime) -> KeyRing:
    """Make a ring in which the first key signs, and the others are published only."""
    first, *others = keys
    return KeyRing(
        (RingKey(first, KeyState.ACTIVE, now), *(RingKey(other, KeyState.RETIRING, now) for other in others))
    )


def write_ring(ring: KeyRing) -> bytes:
    """Serialise a ring with its private keys."""
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
        return make_ring(read_pems(text), now)
    try:
        entries = json.loads(text)["keys"]
        keys = [
            RingKey(SigningKey(entry["pem"].encode()), KeyState(entry["state"]), datetime.fromisoformat(entry["since"]))
            for entry in entries
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("the file holds no key ring") from error
    return KeyRing(tuple(keys))


class SigningKeys(Protocol):
    """A source of the current keys."""

    def ring(self) -> KeyRing:
        """Return the current keys."""


class GivenKeys:
    """Keys from ``USER_SIGNING_KEY``: the first signs, the others are published. Only a restart changes them."""

    def __init__(self, pems: str, now: datetime) -> None:
        self._ring = make_ring(read_pems(pems.encode()), now)

    def ring(self) -> KeyRing:
        """Return the keys that the setting held at the start."""
        return self._ring


def key_file_problems(path: Path) -> list[str]:
    """Say why a file must not hold the signing keys: its folder is not writable, or other users can read it."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError:
        return [f"USER_SIGNING_KEY_FILE: the folder {path.parent} cannot be written"]
    if not path.exists():
        return []
    open_to_others = stat.S_IMODE(path.stat().st_mode) & 0o077
    return ["USER_SIGNING_KEY_FILE is open to other users; chmod 600"] if open_to_others else []


class KeyFile:
    """A ring in a file of mode 0600, which the first start makes. Every process sees a change at once.

    A change writes a whole new file and renames it, under a lock on the folder, so a reader sees the old ring or the
    new one. If the file becomes unreadable, the last ring stays in use.
    """

    def __init__(self, path: Path, *, clock: Callable[[], datetime]) -> None:
        self._path = path
        self._clock = clock
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            if not path.exists():
                self._write_file(make_ring([new_key()], clock()))
        self._ring_stamp = self._stamp()
        self._ring = self._read_ring()

    def ring(self) -> KeyRing:
        """Return the current keys; it costs one stat call, and the file is read only after a change."""
        try:
            stamp = self._stamp()
            if stamp != self._ring_stamp:
                self._ring, self._ring_stamp = self._read_ring(), stamp
        except (OSError, ValueError) as error:
            log.warning("key_file_unreadable", error=type(error).__name__)
        return self._ring

    def change(self, change: Callable[[KeyRing], KeyRing]) -> KeyRing:
        """Replace the ring by the result of ``change``, one process at a time, and return it."""
        with self._locked():
            ring = change(self._read_ring())
            self._write_file(ring)
        return ring

    def _read_ring(self) -> KeyRing:
        return read_ring(self._path.read_bytes(), self._clock())

    def _stamp(self) -> tuple[int, int]:
        status = self._path.stat()
        return status.st_ino, status.st_mtime_ns

    def _write_file(self, ring: KeyRing) -> None:
        draft = self._path.with_name(f".{self._path.name}.{uuid.uuid4().hex}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(write_ring(ring))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise

    @contextmanager
    def _locked(self) -> Iterator[None]:
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)
