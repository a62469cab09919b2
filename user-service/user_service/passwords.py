"""Hashes and checks passwords with argon2id (RFC 9106), a bounded number at a time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from chassis.errors import DependencyUnavailable
from user_service.models import HashedPassword
from user_service.password_policy import normalise_password

ProfileName = Literal["owasp", "weak_only_for_tests"]


@dataclass(frozen=True)
class Profile:
    """What one hash costs."""

    memory_kib: int
    passes: int


PROFILES: dict[ProfileName, Profile] = {
    # OWASP Password Storage Cheat Sheet, argon2id with 19 MiB.
    "owasp": Profile(memory_kib=19456, passes=2),
    # Makes tests quick. It resists nobody.
    "weak_only_for_tests": Profile(memory_kib=8, passes=1),
}


class Passwords:
    """Hashes and compares; threads share it.

    Each hash takes tens of milliseconds and megabytes, so at most ``parallel`` run in this process at once; who
    waits longer than ``wait_seconds`` is sent away.
    """

    def __init__(self, profile: Profile, *, parallel: int, wait_seconds: float) -> None:
        self._hasher = PasswordHasher(
            time_cost=profile.passes, memory_cost=profile.memory_kib, parallelism=1, hash_len=32, salt_len=16
        )
        self._places = threading.BoundedSemaphore(parallel)
        self._wait_seconds = wait_seconds
        self._dummy = self._hasher.hash("nobody has this password")

    def hash(self, password: str) -> HashedPassword:
        """Hash a new password.

        Raises:
            DependencyUnavailable: too many hashes are being computed.
        """
        with self._place():
            return HashedPassword(self._hasher.hash(normalise_password(password)))

    def matches(self, stored: str | None, password: str) -> bool:
        """Say whether this is the password of a stored hash.

        With no stored hash (no such account, or none with a password) the answer is no after the same work, so that
        time tells nothing.
        A stored text that is no argon2 hash matches nothing.

        Raises:
            DependencyUnavailable: as in `hash`.
        """
        with self._place():
            try:
                self._hasher.verify(stored or self._dummy, normalise_password(password))
            except (VerifyMismatchError, VerificationError, InvalidHashError):
                return False
            return bool(stored)

    def is_outdated(self, stored: str) -> bool:
        """Say whether a hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(timeout=self._wait_seconds):
            raise DependencyUnavailable("Too many passwords are being checked.", retry_after_seconds=1)
        try:
            yield
        finally:
            self._places.release()
