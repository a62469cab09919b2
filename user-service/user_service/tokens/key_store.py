"""Where the signing keys stand: in a file that several processes share, or in a setting that the operator changes."""

import fcntl
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from structlog import get_logger

from user_service.tokens.key_ring import KeyRing, read_ring, ring_of, write_ring
from user_service.tokens.signing_key import new_key, read_pems

log = get_logger(__name__)


class SigningKeys(Protocol):
    """Whatever knows the present keys."""

    def ring(self) -> KeyRing:
        """Return the keys as they are now."""


class GivenKeys:
    """Keys from ``USER_SIGNING_KEY``: the first signs, the others are published. Only a restart changes them."""

    def __init__(self, pems: str, now: datetime) -> None:
        self._ring = ring_of(read_pems(pems.encode()), now)

    def ring(self) -> KeyRing:
        """Return the keys of the start."""
        return self._ring


class KeyFile:
    """A ring in a file of mode 0600, made at the first start. Its changes show in every process at once.

    A change writes a whole new file and renames it, under a lock on the folder; who reads sees the old ring or the
    new one. If the file cannot be read any more, the ring that was read last goes on.
    """

    def __init__(self, path: Path, *, clock: Callable[[], datetime]) -> None:
        self._path = path
        self._clock = clock
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            if not path.exists():
                self._write(ring_of([new_key()], clock()))
        self._seen = self._stamp()
        self._ring = self._read()

    def ring(self) -> KeyRing:
        """Return the keys as they are now; costs one look at the file's inode."""
        try:
            stamp = self._stamp()
            if stamp != self._seen:
                self._ring, self._seen = self._read(), stamp
        except (OSError, ValueError) as error:
            log.warning("key_file_unreadable", error=type(error).__name__)
        return self._ring

    def change(self, change: Callable[[KeyRing], KeyRing]) -> KeyRing:
        """Replace the ring by what ``change`` makes of it, one process at a time, and return that."""
        with self._locked():
            ring = change(self._read())
            self._write(ring)
        return ring

    def _read(self) -> KeyRing:
        return read_ring(self._path.read_bytes(), self._clock())

    def _stamp(self) -> tuple[int, int]:
        found = self._path.stat()
        return found.st_ino, found.st_mtime_ns

    def _write(self, ring: KeyRing) -> None:
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
