"""Password hashes of other systems: their known forms, the most that a check may cost, and the check itself.

A check costs at most about twelve times as much as one of our hashes (measured), whatever the parameters in a dump.
The next login replaces a foreign hash, so nothing here makes new ones.
"""

import re
from collections.abc import Callable

import argon2
import bcrypt
from argon2.exceptions import VerificationError
from werkzeug.security import check_password_hash

# Werkzeug's default was pbkdf2:sha256 with 50,000 and 150,000 (the course's rows), 1,000,000 passes is that of 3.1.
_MOST_PASSES = 1_000_000
# Werkzeug's scrypt default is 32768:8:1, which takes n * r * 128 bytes = 32 MiB; OWASP names p=3 for that n.
_SCRYPT_MOST_BLOCKS, _SCRYPT_MOST_LANES = 32768 * 8, 3
_BCRYPT_COSTS = range(4, 13)
_BCRYPT_MOST_BYTES = 72
# argon2-cffi's default is 64 MiB, three passes, four lanes.
_ARGON2_MOST_KIB, _ARGON2_MOST_PASSES, _ARGON2_MOST_LANES = 65536, 4, 4

_SALT = r"\$[!-#%-~]{1,64}\$"
_PBKDF2 = re.compile(rf"pbkdf2:sha(?:1|256):(?P<passes>[1-9][0-9]{{0,9}}){_SALT}(?:[0-9a-f]{{40}}|[0-9a-f]{{64}})")
_SCRYPT = re.compile(
    rf"scrypt:(?P<n>[1-9][0-9]{{0,9}}):(?P<r>[1-9][0-9]{{0,4}}):(?P<p>[1-9][0-9]{{0,4}}){_SALT}[0-9a-f]{{128}}"
)
_BCRYPT = re.compile(r"\$2[aby]\$(?P<cost>[0-9]{2})\$[./A-Za-z0-9]{53}")
_ARGON2 = re.compile(r"\$argon2id?\$v=19\$m=[0-9]{1,10},t=[0-9]{1,10},p=[0-9]{1,8}(?:\$[A-Za-z0-9+/]{11,}){2}")
_ARGON2_HASHER = argon2.PasswordHasher()

Check = Callable[[str], bool]


def foreign_check(stored: str) -> Check | None:
    """Return a function that says whether a text is the password of a foreign hash, or None.

    None means that the hash has no known form, or that a check would cost more than allowed; both are found out
    without work. The function takes the password as it was typed, because those systems did not normalise it.
    """
    kinds = ((_PBKDF2, _pbkdf2), (_SCRYPT, _scrypt), (_BCRYPT, _bcrypt), (_ARGON2, _argon2))
    for form, make in kinds:
        if match := form.fullmatch(stored):
            return make(match)
    return None


def _pbkdf2(match: re.Match[str]) -> Check | None:
    return _werkzeug(match[0]) if int(match["passes"]) <= _MOST_PASSES else None


def _scrypt(match: re.Match[str]) -> Check | None:
    n, r, p = int(match["n"]), int(match["r"]), int(match["p"])
    is_allowed = n > 1 and n & (n - 1) == 0 and n * r <= _SCRYPT_MOST_BLOCKS and p <= _SCRYPT_MOST_LANES
    return _werkzeug(match[0]) if is_allowed else None


def _werkzeug(stored: str) -> Check:
    return lambda password: check_password_hash(stored, password)


def _bcrypt(match: re.Match[str]) -> Check | None:
    if int(match["cost"]) not in _BCRYPT_COSTS:
        return None

    def check(password: str) -> bool:
        # bcrypt reads 72 bytes. If a longer password were cut, its beginning would be enough to sign in. Owners of
        # such passwords sign in by code.
        typed = password.encode()
        try:
            return len(typed) <= _BCRYPT_MOST_BYTES and bcrypt.checkpw(typed, match[0].encode())
        except ValueError:  # The last bits of the salt are impossible.
            return False

    return check


def _argon2(match: re.Match[str]) -> Check | None:
    try:
        cost = argon2.extract_parameters(match[0])
    except argon2.exceptions.InvalidHashError:
        return None
    is_allowed = (
        cost.memory_cost <= _ARGON2_MOST_KIB
        and cost.time_cost <= _ARGON2_MOST_PASSES
        and cost.parallelism <= _ARGON2_MOST_LANES
    )

    def check(password: str) -> bool:
        try:
            return _ARGON2_HASHER.verify(match[0], password)
        except VerificationError:
            return False

    return check if is_allowed else None
