"""Revocations that the gateways may have missed are published again from the database."""

import tempfile
import time
from datetime import timedelta
from pathlib import Path

import pytest
import svcs

from chassis.database import Database
from chassis.errors import DependencyUnavailable
from chassis.redis_client import connect_redis
from local.redis_server import RedisServer
from user_service.models import UserSession
from user_service.tokens.revocation_replay import RevocationReplayer
from user_service.tokens.revocations import Revocations


@pytest.fixture
def replayer(app, revoked):
    """The replayer of an app that has checked the stream once, as it does at its start."""
    replayer = svcs.Container(svcs.flask.get_registry(app)).get(RevocationReplayer)
    replayer.replay_if_incomplete()
    return replayer


@pytest.fixture
def log_out(owner):
    return lambda: owner.call("DELETE", "/api/v1/sessions/current")


def entries_of(revoked):
    return [(entry["kind"], entry["id"]) for entry in revoked()]


def test_nothing_is_repeated_while_redis_is_whole(replayer, log_out, revoked):
    log_out()
    for _ in range(3):
        replayer.replay_if_incomplete()
    assert len(revoked()) == 1


def test_a_start_repeats_what_ended_lately(app, log_out, owner, revoked, redis):
    log_out()
    redis.flushall()
    svcs.Container(svcs.flask.get_registry(app)).get(RevocationReplayer).replay_if_incomplete()
    assert entries_of(revoked) == [("session", owner.user["session_id"])]


def test_a_lost_stream_is_noticed_and_filled_again(replayer, log_out, owner, revoked, redis):
    log_out()
    redis.flushall()
    replayer.replay_if_incomplete()
    assert entries_of(revoked) == [("session", owner.user["session_id"])]
    replayer.replay_if_incomplete()
    assert len(revoked()) == 1


def test_a_lost_entry_is_noticed_though_others_were_written_since(replayer, log_out, owner, revoked, redis):
    log_out()
    redis.flushall()
    redis.xadd("user:revocations", {"kind": "keys", "id": "", "until": "0"}, id="1-1")
    replayer.replay_if_incomplete()
    assert entries_of(revoked) == [("keys", ""), ("session", owner.user["session_id"])]


def test_what_ended_long_ago_is_not_repeated(replayer, log_out, revoked, redis, clock):
    log_out()
    redis.flushall()
    clock.move(seconds=901)
    replayer.replay_if_incomplete()
    assert revoked() == []


def test_a_session_whose_token_came_by_a_repetition_is_told_as_long_as_that_token_lives(
    app, log_in, refresh, visitor, revoked, redis, clock, claims_of, register
):
    """A repeated refresh does not count as a use, yet its access token lives for another ten minutes."""
    phone = register().json
    assert refresh(phone["refresh_token"]).status_code == 200
    clock.move(seconds=599)
    assert refresh(phone["refresh_token"]).status_code == 200
    clock.move(seconds=500)
    answer = visitor.signed_in(log_in()).call("DELETE", "/api/v1/sessions?scope=others")
    assert answer.status_code == 204
    ended = ("session", claims_of(phone["access_token"])["sid"])
    assert entries_of(revoked) == [ended]
    redis.flushall()
    svcs.Container(svcs.flask.get_registry(app)).get(RevocationReplayer).replay_if_incomplete()
    assert entries_of(revoked) == [ended]


def test_a_session_without_a_living_token_is_not_repeated(app, database, log_out, owner, revoked, redis, clock):
    with database.write() as db:
        session = db.get_one(UserSession, owner.user["session_id"])
        session.last_used_at = clock.now - timedelta(seconds=1501)
    log_out()
    redis.flushall()
    svcs.Container(svcs.flask.get_registry(app)).get(RevocationReplayer).replay_if_incomplete()
    assert revoked() == []


@pytest.fixture
def own_redis():
    """A Redis that a test may stop."""
    with tempfile.TemporaryDirectory(prefix="xj") as folder:
        server = RedisServer(Path(folder), Path(folder) / "redis.sock")
        server.start()
        yield server
        server.stop()


def test_what_redis_did_not_take_is_told_when_it_is_back(own_redis, database, owner, clock):
    redis = connect_redis(own_redis.url, timeout_seconds=1)
    revocations = Revocations(redis, token_seconds=600)
    replayer = RevocationReplayer(database, revocations, clock=clock)
    replayer.replay_if_incomplete()
    own_redis.stop()
    with database.write() as db:
        session = db.get_one(UserSession, owner.user["session_id"])
        session.revoked_at = clock.now
    revocations.end_sessions([owner.user["session_id"]], clock.now)
    with pytest.raises(DependencyUnavailable):
        replayer.replay_if_incomplete()
    own_redis.start()
    replayer.replay_if_incomplete()
    assert [fields["id"] for _, fields in redis.xrange("user:revocations")] == [owner.user["session_id"]]
    redis.close()


def test_a_restart_of_redis_is_noticed(own_redis, database, owner, clock):
    redis = connect_redis(own_redis.url, timeout_seconds=1)
    revocations = Revocations(redis, token_seconds=600)
    replayer = RevocationReplayer(database, revocations, clock=clock)
    replayer.replay_if_incomplete()
    with database.write() as db:
        db.get_one(UserSession, owner.user["session_id"]).revoked_at = clock.now
    replayer.replay_if_incomplete()
    assert redis.xlen("user:revocations") == 0
    own_redis.stop()
    own_redis.start()
    replayer.replay_if_incomplete()
    assert redis.xlen("user:revocations") == 1
    redis.close()


def test_a_database_that_is_away_leaves_the_debt(redis, redis_url, clock, database, owner, log_out, revoked):
    log_out()
    redis.flushall()
    revocations = Revocations(connect_redis(redis_url), token_seconds=600)
    away = Database("mysql+pymysql://nobody:x@127.0.0.1:9/x")
    with pytest.raises(DependencyUnavailable):
        RevocationReplayer(away, revocations, clock=clock).replay_if_incomplete()
    away.close()
    RevocationReplayer(database, revocations, clock=clock).replay_if_incomplete()
    assert entries_of(revoked) == [("session", owner.user["session_id"])]


def test_a_wave_of_endings_is_told_in_pages(redis, redis_url, clock, revoked):
    ids = [f"{number:032x}" for number in range(2500)]
    Revocations(connect_redis(redis_url), token_seconds=600).end_sessions(ids, clock.now)
    assert [entry["id"] for entry in revoked()] == ids


def test_the_thread_looks_by_itself_and_ends(database, redis, redis_url, clock, log_out, revoked):
    log_out()
    redis.flushall()
    replayer = RevocationReplayer(database, Revocations(connect_redis(redis_url), token_seconds=600), clock=clock)
    replayer.start()
    replayer.start()
    end = time.monotonic() + 5
    while not revoked() and time.monotonic() < end:
        time.sleep(0.02)
    replayer.stop()
    assert len(revoked()) == 1
