"""Password hashes that other systems made: which are known, what checking one may cost, and whether one matches.

A check costs at most about a dozen times one of ours (measured), whatever a dump says. Foreign hashes are replaced at
the next login, so nothing here makes new ones.
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
    """Return what tells whether a text is the password of a foreign hash; None where the hash is not to be checked.

    That is: of no known form, or costlier than allowed, which is known before any work is done. The text is taken as
    it was typed, because those systems did not bring it to a normal form.
    """
    kinds = ((_PBKDF2, _pbkdf2), (_SCRYPT, _scrypt), (_BCRYPT, _bcrypt), (_ARGON2, _argon2))
    for form, make in kinds:
        if found := form.fullmatch(stored):
            return make(found)
    return None


def _pbkdf2(found: re.Match[str]) -> Check | None:
    return _werkzeug(found[0]) if int(found["passes"]) <= _MOST_PASSES else None


def _scrypt(found: re.Match[str]) -> Check | None:
    n, r, p = int(found["n"]), int(found["r"]), int(found["p"])
    is_allowed = n > 1 and n & (n - 1) == 0 and n * r <= _SCRYPT_MOST_BLOCKS and p <= _SCRYPT_MOST_LANES
    return _werkzeug(found[0]) if is_allowed else None


def _werkzeug(stored: str) -> Check:
    return lambda password: check_password_hash(stored, password)


def _bcrypt(found: re.Match[str]) -> Check | None:
    if int(found["cost"]) not in _BCRYPT_COSTS:
        return None

    def check(password: str) -> bool:
        # bcrypt knows 72 bytes. Cutting here would let in whoever knows the beginning; such an owner logs in by code.
        typed = password.encode()
        try:
            return len(typed) <= _BCRYPT_MOST_BYTES and bcrypt.checkpw(typed, found[0].encode())
        except ValueError:  # A salt whose last bits cannot be.
            return False

    return check


def _argon2(found: re.Match[str]) -> Check | None:
    try:
        cost = argon2.extract_parameters(found[0])
    except argon2.exceptions.InvalidHashError:
        return None
    is_allowed = (
        cost.memory_cost <= _ARGON2_MOST_KIB
        and cost.time_cost <= _ARGON2_MOST_PASSES
        and cost.parallelism <= _ARGON2_MOST_LANES
    )

    def check(password: str) -> bool:
        try:
            return _ARGON2_HASHER.verify(found[0], password)
        except VerificationError:
            return False

    return check if is_allowed else None
