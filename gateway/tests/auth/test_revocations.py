from typing import Any

import pytest
from redis import Redis

from chassis.errors import DependencyUnavailable, Unauthenticated
from chassis.redis_client import connect_redis
from gateway.auth.revocations import Revocations
from gateway.auth.verifier import Identity

SESSION = "00000000c350" + "5" * 20
EARLIER, LATER = "00000000c350" + "4" * 20, "00000000c350" + "6" * 20


def identity(**changed: Any) -> Identity:
    values = {"user_id": 7, "session_id": SESSION, "roles": frozenset(), "auth_time": 900}
    return Identity(**{**values, "expires_at": 1600, **changed})


@pytest.fixture
def other_redis(redis: Redis, redis_url: str) -> Redis:
    """A database that the running gateway does not read."""
    return connect_redis(f"{redis_url}?db=1")


@pytest.fixture
def revocations(other_redis: Redis, clock: Any) -> Revocations:
    return Revocations(other_redis, stale_seconds=5, lost_seconds=30, clock=clock, monotonic=clock)


def revoke(redis: Redis, kind: str, subject: str = "", **fields: Any) -> None:
    redis.xadd("user:revocations", {"kind": kind, "id": subject, "until": "1900", **fields})


def test_what_stood_in_the_stream_before_the_start_counts(other_redis: Redis, revocations: Revocations) -> None:
    revoke(other_redis, "session", SESSION)
    revocations.read_once()
    assert revocations.is_revoked(identity())
    assert not revocations.is_revoked(identity(session_id=LATER))


@pytest.mark.parametrize(
    ("kind", "subject", "fields", "expected"),
    [
        ("user", "7", {"through": SESSION}, True),
        ("user", "7", {"through": LATER}, True),
        ("user", "7", {"through": EARLIER}, False),
        ("user", "8", {"through": LATER}, False),
        ("all", "", {"through": SESSION}, True),
        ("all", "", {"through": EARLIER}, False),
        ("keys", "", {}, False),
    ],
)
def test_a_cut_off_kills_the_sessions_up_to_an_id(
    other_redis: Redis, revocations: Revocations, kind: str, subject: str, fields: dict[str, str], expected: bool
) -> None:
    revocations.read_once()
    revoke(other_redis, kind, subject, **fields)
    revocations.read_once()
    assert revocations.is_revoked(identity()) is expected


@pytest.mark.parametrize("fields", [{"kind": "user"}, {"kind": "user", "id": "7", "until": "x"}, {"other": "1"}])
def test_an_entry_that_nobody_can_read_ends_every_session_so_far(
    other_redis: Redis, revocations: Revocations, clock: Any, fields: dict[str, str]
) -> None:
    other_redis.xadd("user:revocations", fields)
    revocations.read_once()
    now = int(clock.now * 1000)
    assert revocations.is_revoked(identity(session_id=f"{now:012x}" + "0" * 20))
    assert not revocations.is_revoked(identity(session_id=f"{now + 1:012x}" + "0" * 20))


def test_an_older_cut_off_takes_nothing_back(other_redis: Redis, revocations: Revocations) -> None:
    for kind, subject in (("user", "7"), ("all", "")):
        revoke(other_redis, kind, subject, through=SESSION)
        revoke(other_redis, kind, subject, through=EARLIER)
    revocations.read_once()
    assert revocations.is_revoked(identity())


def test_entries_are_forgotten_when_their_tokens_have_died(
    other_redis: Redis, revocations: Revocations, clock: Any
) -> None:
    revoke(other_redis, "session", SESSION)
    revoke(other_redis, "user", "8", through=LATER)
    revocations.read_once()
    clock.now = 1900
    revocations.read_once()
    assert revocations.is_revoked(identity())
    assert revocations.is_revoked(identity(user_id=8))
    clock.now = 2000
    revocations.read_once()
    assert not revocations.is_revoked(identity())
    assert not revocations.is_revoked(identity(user_id=8))


def test_a_stream_that_redis_lost_is_not_forgotten_here(other_redis: Redis, revocations: Revocations) -> None:
    revoke(other_redis, "session", SESSION)
    revocations.read_once()
    other_redis.delete("user:revocations")
    revocations.read_once()
    assert revocations.age_seconds() == 0
    assert revocations.is_revoked(identity())
    revocations.read_once()
    revoke(other_redis, "session", LATER)
    revocations.read_once()
    assert revocations.is_revoked(identity(session_id=LATER))


def test_a_new_stream_with_lower_ids_is_read_from_its_start(other_redis: Redis, revocations: Revocations) -> None:
    revoke(other_redis, "session", SESSION)
    revocations.read_once()
    other_redis.delete("user:revocations")
    other_redis.xadd("user:revocations", {"kind": "session", "id": LATER, "until": "1900"}, id="1-1")
    revocations.read_once()
    revocations.read_once()
    assert revocations.is_revoked(identity())
    assert revocations.is_revoked(identity(session_id=LATER))


def test_changed_keys_are_passed_on(other_redis: Redis) -> None:
    heard: list[str] = []
    revocations = Revocations(other_redis, stale_seconds=5, lost_seconds=30, on_new_keys=lambda: heard.append("keys"))
    revocations.read_once()
    revoke(other_redis, "keys")
    revocations.read_once()
    assert heard == ["keys"]


def test_an_unread_stream_stops_changes_first_and_then_reads(revocations: Revocations, clock: Any) -> None:
    with pytest.raises(DependencyUnavailable):
        revocations.check_identity(identity(), is_unsafe=False)
    revocations.read_once()
    revocations.ping()
    clock.now += 5
    revocations.check_identity(identity(), is_unsafe=True)
    clock.now += 0.1
    with pytest.raises(DependencyUnavailable):
        revocations.check_identity(identity(), is_unsafe=True)
    with pytest.raises(DependencyUnavailable):
        revocations.ping()
    revocations.check_identity(identity(), is_unsafe=False)
    clock.now += 25
    with pytest.raises(DependencyUnavailable):
        revocations.check_identity(identity(), is_unsafe=False)


def test_a_session_that_ended_here_is_revoked_at_once(revocations: Revocations) -> None:
    revocations.read_once()
    revocations.end_session(SESSION)
    with pytest.raises(Unauthenticated):
        revocations.check_identity(identity(), is_unsafe=False)
