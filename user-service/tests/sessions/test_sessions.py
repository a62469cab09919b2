"""Ending sessions: which ones, what the gateways learn of it, and the authentication that it needs."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import svcs
from sqlalchemy import select

from user_service.models import AuditEvent, Device, User
from user_service.sessions.sessions import Sessions, last_session_id, new_session_id

STRANGER = "+8613800138001"


@pytest.fixture
def devices(visitor, register, log_in):
    """Three sessions of one user, oldest first; all begun in one millisecond."""
    return [visitor.signed_in(answer) for answer in (register(), log_in(), log_in())]


@pytest.fixture
def stranger(visitor, register):
    return visitor.signed_in(register(mobile=STRANGER))


@pytest.fixture
def sessions(app):
    return svcs.Container(svcs.flask.get_registry(app)).get(Sessions)


@pytest.fixture
def audited(database):
    """The outcomes of what was written down under one event."""

    def read(event):
        with database.read() as db:
            lines = db.scalars(select(AuditEvent).where(AuditEvent.event == event).order_by(AuditEvent.id)).all()
        return [(line.outcome, line.user_id, line.actor_id, line.detail) for line in lines]

    return read


@pytest.fixture
def live_ids(stored_sessions):
    return lambda: [session.id for session in stored_sessions() if session.revoked_at is None]


def sid(person):
    return person.user["session_id"]


def stale(person):
    """The same person, whose proof is more than five minutes old."""
    return replace(person, user={**person.user, "auth_time": person.user["auth_time"] - 301})


def test_T37_each_login_has_a_new_session_id_that_sorts_last(devices):
    ids = [sid(device) for device in devices]
    assert ids == sorted(set(ids))


def test_ending_the_others_leaves_the_one_that_asks(devices, stranger, live_ids, revoked, audited):
    answer = devices[1].call("DELETE", "/api/v1/sessions?scope=others")
    assert (answer.status_code, answer.data) == (204, b"")
    assert live_ids() == sorted([sid(devices[1]), sid(stranger)])
    assert [(entry["kind"], entry["id"]) for entry in revoked()] == [
        ("session", sid(devices[0])),
        ("session", sid(devices[2])),
    ]
    assert audited("sessions_ended") == [("done", 1, 1, "others")]


def test_ending_all_tells_one_cut_off(devices, stranger, live_ids, revoked, audited):
    assert devices[0].call("DELETE", "/api/v1/sessions?scope=all").status_code == 204
    assert live_ids() == [sid(stranger)]
    assert [(entry["kind"], entry["id"], entry["through"]) for entry in revoked()] == [("user", "1", sid(devices[2]))]
    assert audited("sessions_ended") == [("done", 1, 1, "all")]


def test_a_session_begun_in_the_same_millisecond_after_a_cut_off_lives(devices, log_in, visitor, revoked):
    devices[0].call("DELETE", "/api/v1/sessions?scope=all")
    later = visitor.signed_in(log_in())
    assert sid(later) > revoked()[0]["through"]
    assert later.call("GET", "/api/v1/sessions").json["items"][0]["id"] == sid(later)


def test_a_clock_that_goes_back_lets_no_session_begin_before_the_cut_off(devices, log_in, visitor, revoked, clock):
    devices[0].call("DELETE", "/api/v1/sessions?scope=all")
    clock.move(minutes=-3)
    assert sid(visitor.signed_in(log_in())) > revoked()[0]["through"]


@pytest.mark.parametrize("scope", ["others", "all"])
def test_ending_is_idempotent_and_tells_again(devices, revoked, live_ids, scope):
    first = devices[0].call("DELETE", f"/api/v1/sessions?scope={scope}")
    entries, live = len(revoked()), live_ids()
    again = devices[0].call("DELETE", f"/api/v1/sessions?scope={scope}")
    assert (first.status_code, again.status_code) == (204, 204)
    assert (len(revoked()), live_ids()) == (2 * entries, live)


@pytest.mark.any_database
@pytest.mark.parametrize("query", ["", "?scope=", "?scope=mine", "?scope=all&user_id=2"])
def test_a_scope_must_be_named(owner, query, live_ids):
    answer = owner.call("DELETE", f"/api/v1/sessions{query}")
    assert (answer.status_code, answer.json["code"]) == (422, "request_invalid")
    assert len(live_ids()) == 1


def test_ending_on_other_devices_needs_a_fresh_proof(devices, live_ids):
    other = sid(devices[2])
    paths = [f"/api/v1/sessions/{other}", "/api/v1/sessions?scope=others", "/api/v1/sessions?scope=all"]
    answers = [stale(devices[0]).call("DELETE", path) for path in paths]
    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(401, "step_up_required")] * 3
    challenge = 'Bearer error="insufficient_user_authentication", max_age=300'
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {challenge}
    assert len(live_ids()) == 3


def test_leaving_needs_no_fresh_proof(devices, live_ids):
    assert stale(devices[0]).call("DELETE", "/api/v1/sessions/current").status_code == 204
    assert stale(devices[1]).call("DELETE", f"/api/v1/sessions/{sid(devices[1])}").status_code == 204
    assert live_ids() == [sid(devices[2])]


def test_ending_is_written_down_once(devices, audited):
    for _ in range(2):
        devices[0].call("DELETE", "/api/v1/sessions/current")
    assert audited("logout") == [("done", 1, 1, sid(devices[0]))]


def test_a_reused_refresh_token_is_written_down(register, refresh, clock, audited, claims_of):
    first = register().json
    refresh(first["refresh_token"])
    clock.move(seconds=601)
    refresh(first["refresh_token"])
    assert audited("refresh_token_reused") == [("done", 1, None, claims_of(first["access_token"])["sid"])]


def test_T38_an_admin_ends_all_sessions_of_one_user(devices, stranger, sessions, live_ids, audited):
    sessions.end_all(1, actor_id=2)
    assert live_ids() == [sid(stranger)]
    assert audited("sessions_ended") == [("done", 1, 2, "all")]


def test_ending_all_stands_and_falls_with_the_callers_transaction(devices, sessions, database, live_ids, revoked):
    with database.write() as db:
        sessions.revoke_all(db, 1)
        db.rollback()
    assert (len(live_ids()), revoked()) == (3, [])
    with database.write() as db:
        sessions.revoke_all(db, 1)
        assert revoked() == []
    assert (live_ids(), len(revoked())) == ([], 1)


def test_a_session_may_begin_in_the_transaction_that_ends_all(devices, sessions, database, live_ids, revoked):
    with database.write() as db:
        user = db.get(User, 1, with_for_update=True)
        sessions.revoke_all(db, 1)
        tokens = sessions.begin(db, user, Device("a test", ""))
    assert live_ids() == [tokens.refresh.session_id]
    assert tokens.refresh.session_id > revoked()[0]["through"]


def test_ending_the_sessions_of_nobody_is_harmless(app, sessions, revoked):
    sessions.end_all(4711)
    assert revoked() == []


def test_ids_sort_by_time_whatever_the_clock_says(clock):
    first = new_session_id(clock.now, after=None)
    assert len(first) == len(last_session_id(clock.now)) == 32
    assert first <= last_session_id(clock.now)
    clock.move(hours=-1)
    assert new_session_id(clock.now, after=first) > first


def test_logging_out_without_redis_is_done_and_the_rest_follows(owner, app_without_redis, stored_sessions):
    assert owner.through(app_without_redis).call("DELETE", "/api/v1/sessions/current").status_code == 204
    assert stored_sessions()[0].revoked_at is not None


def test_a_cut_off_catches_exactly_the_sessions_that_began_before_it(
    owner, sessions, database, stored_sessions, revoked
):
    def take_turns(number):
        for turn in range(8):
            with database.write() as db:
                user = db.get(User, 1, with_for_update=True)
                sessions.begin(db, user, Device("a test", ""))
            if turn % 3 == number % 3:
                sessions.end_all(1)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(take_turns, range(4)))
    cut_off = max(entry["through"] for entry in revoked())
    assert len(stored_sessions()) == 33
    assert [session.id <= cut_off for session in stored_sessions()] == [
        session.revoked_at is not None for session in stored_sessions()
    ]
