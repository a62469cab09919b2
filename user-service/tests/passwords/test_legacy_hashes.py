"""Hashes that other systems made: which match, which are refused before any work, and what becomes of them at login."""

import time

import argon2
import bcrypt
import pytest
from werkzeug.security import generate_password_hash

from user_service.models import User
from user_service.passwords.legacy_hashes import foreign_check

pytestmark = pytest.mark.any_database  # What is stored, the import stores on every one.

PASSWORD = "correct horse battery"
KNOWN = {
    "pbkdf2 of the course": generate_password_hash(PASSWORD, "pbkdf2:sha256:50000"),
    "pbkdf2 of later years": generate_password_hash(PASSWORD, "pbkdf2:sha256:150000"),
    "pbkdf2 with sha1": generate_password_hash(PASSWORD, "pbkdf2:sha1:1000"),
    "scrypt": generate_password_hash(PASSWORD, "scrypt:32768:8:1"),
    "bcrypt": bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode(),
    "bcrypt of PHP": bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode().replace("$2b$", "$2y$"),
    "argon2id": argon2.PasswordHasher(memory_cost=64, time_cost=1, parallelism=1).hash(PASSWORD),
}
SCRYPT_HEX, PBKDF2_HEX, BCRYPT_REST = "0" * 128, "0" * 64, "." * 53
PBKDF2 = f"pbkdf2:sha256:50000$salt${PBKDF2_HEX}"
ABSURD = [
    f"pbkdf2:sha256:1000001$salt${PBKDF2_HEX}",
    f"pbkdf2:sha256:9999999999$salt${PBKDF2_HEX}",
    f"scrypt:65536:8:1$salt${SCRYPT_HEX}",
    f"scrypt:32768:8:4$salt${SCRYPT_HEX}",
    f"scrypt:9999999999:99999:99999$salt${SCRYPT_HEX}",
    f"$2b$13${BCRYPT_REST}",
    f"$2b$31${BCRYPT_REST}",
    "$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA",
    "$argon2id$v=19$m=64,t=1000000,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA",
    "$argon2id$v=19$m=64,t=1,p=10000$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA",
]
MALFORMED = [
    PBKDF2.removeprefix("pbkdf2:sha256:"),  # One dump has such a hash.
    PBKDF2.removeprefix("pbkdf2:"),
    PBKDF2[:-1],
    PBKDF2 + "\n",
    PBKDF2.replace("sha256", "sha999"),
    PBKDF2.replace("50000", "0"),
    PBKDF2.replace("50000", "-1"),
    f"scrypt:3:8:1$salt${SCRYPT_HEX}",
    f"scrypt:1:8:1$salt${SCRYPT_HEX}",
    f"$2b$03${BCRYPT_REST}",
    f"$2b$xx${BCRYPT_REST}",
    "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0$",
    "sha1$salt$0123456789abcdef",
    "plain$plain$" + PASSWORD,
    PASSWORD,
    "!",
    "$",
    "",
]


@pytest.mark.parametrize("stored", KNOWN.values(), ids=KNOWN.keys())
def test_T27_known_forms_match_their_password_alone(stored):
    check = foreign_check(stored)
    assert check(PASSWORD)
    assert not check(PASSWORD + " ")
    assert not check("")


@pytest.mark.parametrize("stored", ABSURD)
def test_T28_what_costs_too_much_is_refused_before_any_work(stored):
    begun = time.process_time()
    assert foreign_check(stored) is None
    assert time.process_time() - begun < 0.1


@pytest.mark.parametrize("stored", MALFORMED)
def test_a_malformed_hash_is_not_checked(stored):
    assert foreign_check(stored) is None


@pytest.mark.parametrize("rest", ["9" * 53, "." * 53, "/" * 53])
def test_a_bcrypt_text_that_bcrypt_does_not_take_is_wrong(rest):
    assert not foreign_check(f"$2b$04${rest}")(PASSWORD)


def test_bcrypt_matches_nothing_beyond_its_72_bytes():
    check = foreign_check(bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode())
    assert check("x" * 72)
    assert not check("x" * 73)


def test_passwords_are_compared_as_they_were_typed():
    check = foreign_check(generate_password_hash("ｆｕｌｌ", "pbkdf2:sha256:1"))
    assert check("ｆｕｌｌ")
    assert not check("full")


@pytest.fixture
def stored_hash(register, database, stored_users):
    """Give the one account a hash, or read it."""
    register()

    def exchange(stored=None):
        if stored is not None:
            with database.write() as db:
                db.get_one(User, 1).password_hash = stored
        return stored_users()[0].password_hash

    return exchange


@pytest.mark.parametrize("stored", KNOWN.values(), ids=KNOWN.keys())
def test_T27_a_foreign_hash_is_replaced_at_the_next_login(stored_hash, log_in, stored):
    stored_hash(stored)
    assert log_in(password="something else").json["code"] == "credentials_wrong"
    assert stored_hash() == stored
    assert log_in().status_code == 201
    assert stored_hash().startswith("hmac-sha256:test$argon2id$v=19$m=8,t=1,p=1$")
    assert log_in().status_code == 201


@pytest.mark.parametrize("stored", [*ABSURD[:2], MALFORMED[0], "!", "hmac-sha256:test", "hmac-sha256:gone$x"])
def test_a_hash_that_cannot_be_checked_is_a_wrong_password(stored_hash, log_in, stored):
    stored_hash(stored)
    answer = log_in()
    assert (answer.status_code, answer.json["code"]) == (401, "credentials_wrong")
