"""Hashing: argon2id, the keyed step before it and the change of its key, and the threads that hash."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import argon2
import pytest
from argon2 import extract_parameters
from werkzeug.security import generate_password_hash

from chassis.errors import DependencyUnavailable
from user_service.models import User
from user_service.passwords.hashing import (
    PROFILES,
    HashingThreads,
    PasswordKeys,
    Passwords,
    Profile,
    parallel_hashes,
    usable_cores,
)

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


PASSWORD = "correct horse battery"
OLD, NEW = f"old:{'o' * 32}", f"new:{'n' * 32}"


def passwords_with(keys):
    return Passwords(PROFILES["weak_only_for_tests"], PasswordKeys.parse(keys), parallel=2, wait_seconds=5)


@pytest.mark.any_database
def test_the_id_of_the_key_is_stored_and_its_secret_is_not():
    stored = passwords_with(f"{NEW},{OLD}").hash(PASSWORD).phc
    assert stored.startswith("hmac-sha256:new$argon2id$v=19$")
    assert "nnn" not in stored
    assert len(stored) <= 255


@pytest.mark.any_database
def test_the_longest_id_fits_the_column():
    assert len(passwords_with(f"{'i' * 32}:{'s' * 32}").hash(PASSWORD).phc) <= 255


@pytest.mark.any_database
def test_without_the_key_nobody_can_try_passwords():
    stored = passwords_with(NEW).hash(PASSWORD).phc
    with pytest.raises(argon2.exceptions.VerifyMismatchError):
        argon2.PasswordHasher().verify(stored.removeprefix("hmac-sha256:new"), PASSWORD)
    assert not passwords_with(f"new:{'x' * 32}").matches(stored, PASSWORD)


@pytest.mark.any_database
def test_hashes_of_an_old_key_match_and_are_outdated():
    stored = passwords_with(OLD).hash(PASSWORD).phc
    both = passwords_with(f"{NEW},{OLD}")
    assert both.matches(stored, PASSWORD)
    assert not both.matches(stored, "something else")
    assert both.is_outdated(stored)
    assert not both.is_outdated(both.hash(PASSWORD).phc)


@pytest.mark.any_database
def test_a_hash_whose_key_is_gone_matches_nothing_and_is_told_to_the_operator(log_lines):
    stored = passwords_with(OLD).hash(PASSWORD).phc
    assert not passwords_with(NEW).matches(stored, PASSWORD)
    assert [(line["event"], line["key_id"]) for line in log_lines] == [("password_key_missing", "old")]


@pytest.mark.any_database
@pytest.mark.parametrize(
    "stored",
    [
        # An account of the time before there were keys: argon2id over the password's NFKC form.
        argon2.PasswordHasher(memory_cost=8, time_cost=1, parallelism=1).hash("caf\u00e9 noir"),
        passwords_with("older:a-password-key-of-the-tests-only-2").hash("caf\u00e9 noir").phc,
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


@pytest.mark.parametrize(
    ("hashed", "other"), [("caf\u00e9 noir", "cafe\u0301 noir"), ("cafe\u0301 noir", "caf\u00e9 noir")]
)
def test_a_hash_of_a_system_that_did_not_normalise_matches_what_was_typed_there_alone(passwords, hashed, other):
    stored = generate_password_hash(hashed, "pbkdf2:sha256:1000")
    assert passwords.matches(stored, hashed)
    assert not passwords.matches(stored, other)


@pytest.fixture
def quota(tmp_path):
    """Count the cores under a container's quota."""

    def cores(text):
        file = tmp_path / "cpu.max"
        file.write_text(text)
        return usable_cores(file)

    return cores


@pytest.fixture
def busy():
    """One thread that hashes until it may go on."""
    threads, begun, go_on = HashingThreads(1, wait_seconds=0.05), threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(threads.run, lambda: (begun.set(), go_on.wait(10)))
        begun.wait(10)
        yield threads, go_on
        go_on.set()
        running.result(10)


def test_without_a_quota_the_cores_are_those_of_the_process(quota, tmp_path):
    own = len(os.sched_getaffinity(0))
    assert [quota("max 100000\n"), usable_cores(tmp_path / "nowhere"), quota("nonsense")] == [own] * 3


def test_a_quota_counts_as_the_next_whole_core(quota):
    assert quota("100000 100000\n") == quota("20000 100000\n") == 1
    assert quota("6400000 100000\n") == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(("cores", "processes", "expected"), [(2, 2, 1), (8, 2, 4), (2, 1, 2), (4, 3, 1), (1, 4, 1)])
def test_all_processes_together_hash_on_every_core_once(cores, processes, expected):
    assert parallel_hashes(cores, processes=processes) == expected


def test_who_waits_too_long_is_sent_away_and_never_run(busy):
    threads, go_on = busy
    ran = []
    with pytest.raises(DependencyUnavailable) as refused:
        threads.run(lambda: ran.append(1))
    go_on.set()
    assert threads.run(lambda: ran.copy()) == []
    assert refused.value.retry_after_seconds == 1


def test_a_hash_that_has_begun_is_waited_for():
    threads, slow = HashingThreads(1, wait_seconds=0.01), threading.Event()
    threading.Timer(0.1, slow.set).start()
    assert threads.run(lambda: slow.wait(10))


def test_an_error_comes_back_to_who_asked():
    with pytest.raises(ZeroDivisionError):
        HashingThreads(1, wait_seconds=1).run(lambda: 1 / 0)


class _CountingHasher:
    """An argon2 hasher that counts its comparisons."""

    def __init__(self, hasher):
        self._hasher = hasher
        self.comparisons = 0

    def hash(self, password):
        return self._hasher.hash(password)

    def verify(self, phc, password):
        self.comparisons += 1
        return self._hasher.verify(phc, password)


@pytest.mark.parametrize(
    "stored",
    [
        None,
        "",
        "no hash",
        "hmac-sha256:gone$argon2id$v=19$m=8,t=1,p=1$YWJjZGVmZ2g$YWJj",
        "$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA",  # It would cost too much.
    ],
)
def test_whatever_cannot_be_compared_costs_one_comparison_like_a_wrong_password(passwords, stored):
    own = passwords.hash("the right password").phc
    passwords._hasher = hasher = _CountingHasher(passwords._hasher)
    assert not passwords.matches(own, "a wrong password")
    assert not passwords.matches(stored, "a wrong password")
    assert hasher.comparisons == 2
