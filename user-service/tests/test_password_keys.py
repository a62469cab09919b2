"""The keyed step before argon2, and the change of its key."""

import argon2
import pytest

from user_service.models import User
from user_service.passwords.hashing import PROFILES, PasswordKeys, Passwords

pytestmark = pytest.mark.any_database  # Hashes are texts of one length.

PASSWORD = "correct horse battery"
OLD, NEW = f"old:{'o' * 32}", f"new:{'n' * 32}"


def passwords(keys):
    return Passwords(PROFILES["weak_only_for_tests"], PasswordKeys.parse(keys), parallel=2, wait_seconds=5)


def test_the_id_of_the_key_is_stored_and_its_secret_is_not():
    stored = passwords(f"{NEW},{OLD}").hash(PASSWORD).phc
    assert stored.startswith("hmac-sha256:new$argon2id$v=19$")
    assert "nnn" not in stored
    assert len(stored) <= 255


def test_the_longest_id_fits_the_column():
    assert len(passwords(f"{'i' * 32}:{'s' * 32}").hash(PASSWORD).phc) <= 255


def test_without_the_key_nobody_can_try_passwords():
    stored = passwords(NEW).hash(PASSWORD).phc
    with pytest.raises(argon2.exceptions.VerifyMismatchError):
        argon2.PasswordHasher().verify(stored.removeprefix("hmac-sha256:new"), PASSWORD)
    assert not passwords(f"new:{'x' * 32}").matches(stored, PASSWORD)


def test_hashes_of_an_old_key_match_and_are_outdated():
    stored = passwords(OLD).hash(PASSWORD).phc
    both = passwords(f"{NEW},{OLD}")
    assert both.matches(stored, PASSWORD)
    assert not both.matches(stored, "something else")
    assert both.is_outdated(stored)
    assert not both.is_outdated(both.hash(PASSWORD).phc)


def test_a_hash_whose_key_is_gone_matches_nothing_and_is_told_to_the_operator(log_lines):
    stored = passwords(OLD).hash(PASSWORD).phc
    assert not passwords(NEW).matches(stored, PASSWORD)
    assert [(line["event"], line["key_id"]) for line in log_lines] == [("password_key_missing", "old")]


@pytest.mark.parametrize(
    "stored",
    [
        # An account of the time before there were keys: argon2id over the password's NFKC form.
        argon2.PasswordHasher(memory_cost=8, time_cost=1, parallelism=1).hash("caf\u00e9 noir"),
        passwords("older:a-password-key-of-the-tests-only-2").hash("caf\u00e9 noir").phc,
    ],
    ids=["without a key", "with an old key"],
)
def test_a_hash_of_before_is_replaced_at_the_next_login(register, log_in, database, stored_users, stored):
    register()
    with database.write() as db:
        db.get_one(User, 1).password_hash = stored
    assert log_in(password="cafe\u0301 noir").status_code == 201
    assert stored_users()[0].password_hash.startswith("hmac-sha256:test$argon2id$")
    assert log_in(password="caf\u00e9 noir").status_code == 201
