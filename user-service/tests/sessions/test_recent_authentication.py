"""A signed-in user authenticates again, and gets a new session."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from user_service.models import AuditEvent

pytestmark = pytest.mark.any_database  # It is a login; test_logins, test_refresh and test_ending_sessions run on all.

PATH = "/api/v1/reauthentications"
PASSWORD = "correct horse battery"
MOBILE = "+8613800138000"
CODE = "271828"


@pytest.fixture
def audited(database):
    def read():
        with database.read() as db:
            lines = db.scalars(select(AuditEvent).where(AuditEvent.event == "reauthentication")).all()
        return [(line.outcome, line.user_id, line.mobile_masked, line.detail) for line in lines]

    return read


def is_refused(answer):
    return (answer.status_code, answer.json["code"]) == (401, "credentials_wrong")


@pytest.mark.every_database
def test_T37_a_proof_begins_a_new_session_and_ends_the_old_one(
    owner, visitor, clock, claims_of, stored_sessions, revoked
):
    clock.move(minutes=10)
    answer = owner.call("POST", PATH, {"password": PASSWORD})
    claims = claims_of(answer.json["access_token"])
    old, new = stored_sessions()
    assert answer.status_code == 200
    assert set(answer.json) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert claims["auth_time"] == claims["iat"] == int(clock.now.timestamp())
    assert claims["sid"] == new.id != owner.user["session_id"] == old.id
    assert (old.revoked_at, new.revoked_at) == (clock.now, None)
    assert [entry["id"] for entry in revoked()] == [old.id]
    assert visitor.signed_in(answer).call("DELETE", "/api/v1/sessions?scope=all").status_code == 204


def test_the_old_refresh_token_is_dead(visitor, register, refresh):
    first = register()
    visitor.signed_in(first).call("POST", PATH, {"password": PASSWORD})
    assert refresh(first.json["refresh_token"]).status_code == 401


def test_a_code_for_this_user_proves_it(owner, sms_service, audited):
    sms_service.live[MOBILE, "reauthenticate"] = CODE
    sms_service.subjects[MOBILE, "reauthenticate"] = str(owner.user["user_id"])
    assert owner.call("POST", PATH, {"sms_code": CODE}).status_code == 200
    sent = {name: value for name, value in sms_service.requests[-1].items() if name not in ("token", "path")}
    assert sent == {
        "mobile": MOBILE,
        "purpose": "reauthenticate",
        "code": CODE,
        "subject": str(owner.user["user_id"]),
    }
    assert audited() == [("done", 1, "+86138****8000", "sms_code")]


def test_a_wrong_proof_changes_nothing_and_is_written_down(owner, sms_service, stored_sessions, audited):
    sms_service.live[MOBILE, "reauthenticate"] = CODE
    bodies = [{"password": "not the password"}, {"sms_code": "000000"}]
    assert all(is_refused(owner.call("POST", PATH, body)) for body in bodies)
    del sms_service.live[MOBILE, "reauthenticate"]
    assert is_refused(owner.call("POST", PATH, {"sms_code": CODE}))
    assert [session.revoked_at for session in stored_sessions()] == [None]
    masked = "+86138****8000"
    assert audited() == [
        ("credentials_wrong", 1, masked, "password"),
        ("credentials_wrong", 1, masked, "sms_code"),
        ("credentials_wrong", 1, masked, "sms_code"),
    ]


def test_failures_are_limited_as_those_of_logging_in(owner, log_in):
    assert [owner.call("POST", PATH, {"password": "wrong one"}).status_code for _ in range(5)] == [401] * 5
    assert owner.call("POST", PATH, {"password": PASSWORD}).status_code == 429
    assert log_in().status_code == 429


def test_an_ended_session_proves_nothing(owner, stored_sessions):
    owner.call("DELETE", "/api/v1/sessions/current")
    answer = owner.call("POST", PATH, {"password": PASSWORD})
    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")
    assert len(stored_sessions()) == 1


def test_a_session_of_another_user_is_not_replaced(owner, visitor, register, stored_sessions):
    stranger = visitor.signed_in(register(mobile="+8613800138001"))
    mixed = replace(stranger, user={**stranger.user, "session_id": owner.user["session_id"]})
    assert mixed.call("POST", PATH, {"password": PASSWORD}).status_code == 401
    assert [session.revoked_at for session in stored_sessions()] == [None, None]


@pytest.mark.parametrize(
    "body", [{}, {"password": "x", "sms_code": "1"}, {"password": "x", "mobile": MOBILE}, {"sms_code": 1}]
)
def test_a_body_of_the_wrong_shape_is_refused(owner, body):
    answer = owner.call("POST", PATH, body)
    assert (answer.status_code, answer.json["code"]) == (422, "request_invalid")


def test_nobody_proves_anything_without_a_session(visitor):
    assert visitor.call("POST", PATH, {"password": PASSWORD}).status_code == 401
