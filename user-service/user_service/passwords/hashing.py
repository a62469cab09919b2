"""Hashes and checks passwords with argon2id (RFC 9106), a bounded number at a time."""

from dataclasses import dataclass
from typing import Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from structlog import get_logger

from user_service.models import HashedPassword
from user_service.passwords.legacy_hashes import Check, foreign_check
from user_service.passwords.pepper import PasswordKeys
from user_service.passwords.policy import normalise_password
from user_service.passwords.thread_pool import HashingThreads

log = get_logger(__name__)
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


# Before the PHC text of a hash that was made with a key: "hmac-sha256:" and the key's id.
_KEYED = "hmac-sha256:"


class Passwords:
    """Hashes and compares; threads share it.

    A password is brought to NFKC, turned into 32 bytes by HMAC-SHA-256 with a key that is not in the database, and
    hashed with argon2id; the id of the key is stored with the hash. Hashes of other makes are only checked.

    Each hash takes tens of milliseconds and megabytes, so at most ``parallel`` run in this process at once; who
    waits longer than ``wait_seconds`` is sent away.
    """

    def __init__(self, profile: Profile, keys: PasswordKeys, *, parallel: int, wait_seconds: float) -> None:
        self._hasher = PasswordHasher(
            time_cost=profile.passes, memory_cost=profile.memory_kib, parallelism=1, hash_len=32, salt_len=16
        )
        self._keys = keys
        self._threads = HashingThreads(parallel, wait_seconds=wait_seconds)
        self._dummy = self._hasher.hash("nobody has this password")

    def hash(self, password: str) -> HashedPassword:
        """Hash a new password with the current key.

        Raises:
            DependencyUnavailable: too many hashes are being computed.
        """
        digest = self._keys.digest(self._keys.current_id, normalise_password(password))
        phc = self._threads.run(lambda: self._hasher.hash(digest))
        return HashedPassword(f"{_KEYED}{self._keys.current_id}{phc}")

    def matches(self, stored: str | None, password: str) -> bool:
        """Say whether this is the password of a stored hash, of ours or of a known foreign form.

        With no stored hash (no such account, or none with a password) the answer is no after the work that one of ours
        takes, so that time tells nothing; likewise with a stored text that is not to be checked, or whose key is gone.

        Raises:
            DependencyUnavailable: as in `hash`.
        """
        check = self._check(stored) if stored else None
        return self._threads.run(lambda: self._matches(check, password))

    def _matches(self, check: Check | None, password: str) -> bool:
        if check is None:
            self._verify(self._dummy, password)
            return False
        return check(password)

    def is_outdated(self, stored: str) -> bool:
        """Say whether a hash that matched is of another make than those of today: parameters, key or algorithm."""
        key_id, phc = _split(stored)
        return key_id != self._keys.current_id or self._hasher.check_needs_rehash(phc)

    def _check(self, stored: str) -> Check | None:
        key_id, phc = _split(stored)
        if key_id is None:
            return self._unkeyed_check(stored)
        if key_id not in self._keys.secrets:
            log.error("password_key_missing", key_id=key_id[:32])
            return None
        return lambda password: self._verify(phc, self._keys.digest(key_id, normalise_password(password)))

    def _unkeyed_check(self, stored: str) -> Check | None:
        check = foreign_check(stored)
        if check is None or not stored.startswith("$argon2"):
            return check
        # Accounts of the time before there were keys. Their passwords were brought to NFKC, as today's.
        return lambda password: check(normalise_password(password))

    def _verify(self, phc: str, secret: str | bytes) -> bool:
        try:
            return self._hasher.verify(phc, secret)
        except (VerificationError, InvalidHashError):
            return False


def _split(stored: str) -> tuple[str | None, str]:
    """Cut a hash into the id of its key, None without one, and its PHC text."""
    if not stored.startswith(_KEYED):
        return None, stored
    key_id, dollar, rest = stored.removeprefix(_KEYED).partition("$")
    return key_id, dollar + rest
