import threading

import pytest
from argon2 import extract_parameters

from chassis.errors import DependencyUnavailable
from user_service.models import User
from user_service.passwords.hashing import PROFILES, Passwords, Profile
from user_service.passwords.pepper import PasswordKeys

WEAK = PROFILES["weak_only_for_tests"]
KEYS = PasswordKeys.parse("k:a-password-key-of-the-tests-only-0")


@pytest.fixture
def passwords():
    return Passwords(WEAK, KEYS, parallel=2, wait_seconds=5)


def test_T27_the_default_profile_is_argon2id_with_19_mib_two_passes_one_lane():
    stored = Passwords(PROFILES["owasp"], KEYS, parallel=1, wait_seconds=1).hash("a password").phc
    parameters = extract_parameters(stored.removeprefix("hmac-sha256:k"))
    assert stored.startswith("hmac-sha256:k$argon2id$v=19$m=19456,t=2,p=1$")
    assert (parameters.salt_len, parameters.hash_len) == (16, 32)


@pytest.mark.parametrize("password", ["  spaces  ", "密码密码密码密码", "🔑" * 64, "x" * 64, "x" * 128, "a\0b" * 4])
def test_T25_any_text_is_a_password(passwords, password):
    stored = passwords.hash(password).phc
    assert passwords.matches(stored, password)
    assert not passwords.matches(stored, password + "!")


@pytest.mark.parametrize("before", [72, 127])
def test_T25_the_end_of_a_long_password_matters(passwords, before):
    stored = passwords.hash("x" * before + "a").phc
    assert not passwords.matches(stored, "x" * before + "b")
    assert not passwords.matches(stored, "x" * before)


def test_two_spellings_of_one_character_are_one_password(passwords):
    assert passwords.matches(passwords.hash("caf\u00e9 noir").phc, "cafe\u0301 noir")


def test_no_account_matches_nothing_not_even_the_dummy(passwords):
    assert not passwords.matches(None, "nobody has this password")


def test_who_waits_too_long_for_a_place_is_sent_away():
    passwords = Passwords(Profile(memory_kib=64 * 1024, passes=2), KEYS, parallel=1, wait_seconds=0.001)
    results = []

    def hash_one():
        try:
            results.append(passwords.hash("a password"))
        except DependencyUnavailable as error:
            results.append(error.retry_after_seconds)

    threads = [threading.Thread(target=hash_one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 in results


def test_a_plain_text_cannot_be_stored_as_a_password():
    with pytest.raises(TypeError, match="stored hashed only"):
        User(password="secret")
