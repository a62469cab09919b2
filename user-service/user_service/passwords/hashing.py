"""Hashes and checks passwords: a keyed step (the pepper), then argon2id (RFC 9106), on a few threads of its own."""

import hmac
import os
import re
import sys
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from structlog import get_logger

from chassis.errors import DependencyUnavailable
from user_service.models import HashedPassword
from user_service.passwords.legacy_hashes import Check, foreign_check

log = get_logger(__name__)
T = TypeVar("T")
ProfileName = Literal["owasp", "weak_only_for_tests"]
SHORTEST_SECRET = 32
_KEY_ENTRY = re.compile(r"(?P<id>[A-Za-z0-9_-]{1,32}):(?P<secret>[^\s,]+)")
# "hmac-sha256:" and the id of the key stand before the PHC text of a hash that was made with a key.
_KEYED = "hmac-sha256:"
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True)
class Profile:
    """What one hash costs."""

    memory_kib: int
    passes: int


PROFILES: dict[ProfileName, Profile] = {
    # OWASP Password Storage Cheat Sheet, argon2id with 19 MiB.
    "owasp": Profile(memory_kib=19456, passes=2),
    # Makes tests quick. It protects nobody.
    "weak_only_for_tests": Profile(memory_kib=8, passes=1),
}


def normalise_password(text: str) -> str:
    """Bring spellings that look equal to one form (NFKC, NIST SP 800-63B section 3.1.1.2); nothing is cut off."""
    return unicodedata.normalize("NFKC", text)


@dataclass(frozen=True)
class PasswordKeys:
    """The secrets of the pepper by their ids. New hashes use ``current_id``; the others only check old hashes."""

    current_id: str
    secrets: dict[str, str] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "PasswordKeys":
        """Read ``id:secret[,id:secret…]``, the current key first.

        Raises:
            ValueError: another form, a secret under 32 characters, an id or a secret twice. No secret is repeated.
        """
        matches = [_KEY_ENTRY.fullmatch(entry.strip()) for entry in text.strip().split(",")]
        entries = [(match["id"], match["secret"]) for match in matches if match]
        secrets = dict(entries)
        if len(entries) < len(matches):
            raise ValueError("the form is id:secret[,id:secret…], ids of letters, digits, - and _")
        if min(map(len, secrets.values())) < SHORTEST_SECRET:
            raise ValueError(f"every secret needs at least {SHORTEST_SECRET} characters")
        if not len(set(secrets.values())) == len(secrets) == len(entries):
            raise ValueError("every id and every secret may stand there only once")
        return cls(entries[0][0], secrets)

    def digest(self, key_id: str, text: str) -> bytes:
        """Turn a text of any length into 32 bytes that nobody can compute without the key (HMAC-SHA-256, RFC 2104)."""
        return hmac.digest(self.secrets[key_id].encode(), text.encode(), "sha256")


class Passwords:
    """Hashes and compares passwords; threads share it.

    A password is brought to NFKC, turned into 32 bytes by HMAC-SHA-256 with a key that is not in the database, and
    hashed with argon2id. The id of the key is stored with the hash. Hashes of other systems are only checked.

    Each hash takes tens of milliseconds and megabytes, so at most ``parallel`` run in this process at once. A caller
    who waits longer than ``wait_seconds`` is refused.
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

        Without a stored hash (no such account, or an account without a password) the answer is no, after as much work
        as for one of our hashes, so that the time reveals nothing. The same holds for a stored text that cannot be
        checked, or whose key is missing.

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
        """Say whether a hash that matched differs from new hashes in parameters, key or algorithm."""
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
        # Accounts that are older than the keys. Their passwords were brought to NFKC, as today's.
        return lambda password: check(normalise_password(password))

    def _verify(self, phc: str, secret: str | bytes) -> bool:
        try:
            return self._hasher.verify(phc, secret)
        except (VerificationError, InvalidHashError):
            return False


def is_keyed(stored: str) -> bool:
    """Say whether a hash was made by `Passwords.hash`. Others were imported, or are older than the keys."""
    return stored.startswith(_KEYED)


def is_storable(stored: str) -> bool:
    """Say whether a hash of a dump has a known form, and whether a check costs no more than allowed.

    One of ours may be in an export. It can be checked if the key with its id is among `PasswordKeys`, and nobody can
    make one without that key.
    """
    _, phc = _split(stored)
    return foreign_check(phc) is not None


def _split(stored: str) -> tuple[str | None, str]:
    """Split a hash into the id of its key (None without one) and its PHC text."""
    if not is_keyed(stored):
        return None, stored
    key_id, dollar, rest = stored.removeprefix(_KEYED).partition("$")
    return key_id, dollar + rest


def usable_cores(quota_file: Path = _QUOTA) -> int:
    """Count the cores that this process may use: those it is bound to, or fewer if its container has a smaller quota.

    The quota is ``cpu.max`` of cgroup v2 (Linux, Documentation/admin-guide/cgroup-v2.rst): ``max 100000``, or
    ``150000 100000`` for one and a half cores, which count as two. Quotas of cgroup v1 are not read.
    """
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    try:
        quota, period = quota_file.read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else min(cores, -(-int(quota) // int(period)))


def parallel_hashes(cores: int, *, processes: int) -> int:
    """Return how many hashes each process of a service may run at once: together they use every core once.

    Two hashes on one core take a third longer than one after the other, because they evict each other from its cache.
    """
    return max(1, cores // processes)


class HashingThreads:
    """Runs at most ``parallel`` hashes at once; the others wait in a queue, each at most ``wait_seconds``.

    It has its own threads instead of a semaphore around the threads of requests, for two reasons. A queue is fair. And
    the C library keeps the memory of a hash (19 MiB) for the thread that allocated it, which adds up over all threads.
    """

    def __init__(self, parallel: int, *, wait_seconds: float) -> None:
        self._pool = ThreadPoolExecutor(parallel, thread_name_prefix="hashing")
        self._wait_seconds = wait_seconds

    def run(self, hash_one: Callable[[], T]) -> T:
        """Run a function when it is its turn, and return its result.

        Raises:
            DependencyUnavailable: its turn did not come in time. Then it is not run.
        """
        future = self._pool.submit(hash_one)
        try:
            return future.result(self._wait_seconds)
        except TimeoutError as error:
            if future.cancel():
                raise DependencyUnavailable("Too many passwords are being checked.", retry_after_seconds=1) from error
            return future.result()
