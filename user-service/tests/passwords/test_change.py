from concurrent.futures import ThreadPoolExecutor

import pytest

from user_service.models import User

pytestmark = pytest.mark.any_database  # But for what comes twice at a time.

MOBILE = "+8613800138000"
PASSWORD, NEW = "correct horse battery", "a wholly different one"
STALE_SECONDS = 301


@pytest.fixture
def change(owner):
    """Change the password as its owner, who has just registered."""

    def change(person=owner, **body):
        return person.call("PUT", "/api/v1/users/me/password", {"new_password": NEW, **body})

    return change


@pytest.fixture
def two_devices(register, log_in, visitor):
    answers = [register(), log_in()]
    return answers, [visitor.signed_in(answer) for answer in answers]


def test_T29_the_current_password_changes_it_however_old_the_session_is(change, log_in, clock):
    clock.move(days=3)
    answer = change(current_password=PASSWORD)
    assert (answer.status_code, answer.data) == (204, b"")
    assert log_in().status_code == 401
    assert log_in(password=NEW).status_code == 201


def test_T29_a_fresh_proof_stands_for_the_current_password(change, log_in):
    assert change().status_code == 204
    assert log_in(password=NEW).status_code == 201


def test_T29_without_either_a_step_up_is_asked_for(change, log_in, clock):
    clock.move(seconds=STALE_SECONDS)
    answer = change()
    assert (answer.status_code, answer.json["code"]) == (401, "step_up_required")
    assert 'error="insufficient_user_authentication"' in answer.headers["WWW-Authenticate"]
    assert log_in().status_code == 201


@pytest.mark.every_database
def test_T29_the_other_sessions_end_and_the_one_that_asks_stays(two_devices, refresh, revoked):
    answers, [first, second] = two_devices
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert second.call("PUT", "/api/v1/users/me/password", body).status_code == 204
    assert [refresh(answer.json["refresh_token"]).status_code for answer in answers] == [401, 200]
    assert [entry["id"] for entry in revoked()] == [first.user["session_id"]]


def test_T29_the_owner_is_told(change, sms_service):
    change(current_password=PASSWORD)
    assert sms_service.notices == [(MOBILE, "password_changed", "")]


@pytest.mark.parametrize("languages", ["\u00a0en", "en\u00e9", "e" * 300, "en;\x01"])
def test_no_header_suppresses_the_notice(owner, sms_service, languages):
    body = {"current_password": PASSWORD, "new_password": NEW}
    answer = owner.call("PUT", "/api/v1/users/me/password", body, **{"Accept-Language": languages})
    assert answer.status_code == 204
    assert sms_service.notices == [(MOBILE, "password_changed", "")]


def test_a_wrong_current_password_is_refused_even_with_a_fresh_proof(change, log_in, sms_service):
    answer = change(current_password="something else")
    assert (answer.status_code, answer.json["code"]) == (401, "credentials_wrong")
    assert log_in().status_code == 201
    assert sms_service.notices == []


def test_five_wrong_ones_close_the_way_of_the_password_and_no_login(change, log_in, visitor):
    statuses = [change(current_password="something else").status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    assert change(current_password=PASSWORD).status_code == 429
    assert log_in().status_code == 201


def test_failed_logins_of_strangers_do_not_keep_the_owner_from_changing(change, log_in):
    for _ in range(6):
        log_in(password="something else")
    assert change(current_password=PASSWORD).status_code == 204


def test_T11_a_rejected_new_password_changes_nothing_and_names_its_field(change, log_in):
    answer = change(current_password=PASSWORD, new_password="1234567")
    assert (answer.status_code, answer.json["code"]) == (422, "password_rejected")
    assert {(error["field"], error["code"]) for error in answer.json["errors"]} >= {("new_password", "too_short")}
    assert log_in().status_code == 201


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"new_password": None}, {"new_password"}),
        ({"new_password": "x" * 1025, "current_password": 1}, {"new_password", "current_password"}),
        ({"password": NEW}, {"password"}),
    ],
)
def test_a_body_of_the_wrong_shape_is_refused(change, body, fields):
    answer = change(**body)
    assert (answer.status_code, answer.json["code"]) == (422, "request_invalid")
    assert {error["field"] for error in answer.json["errors"]} == fields


def test_nobody_changes_a_password_without_a_session(visitor):
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert visitor.call("PUT", "/api/v1/users/me/password", body).json["code"] == "unauthenticated"


def test_a_password_that_must_be_reset_proves_nothing(change, database, clock, stored_users):
    with database.write() as db:
        db.get_one(User, 1).must_reset_password = True
    assert change().status_code == 204
    assert stored_users()[0].must_reset_password is False
    with database.write() as db:
        db.get_one(User, 1).must_reset_password = True
    clock.move(seconds=STALE_SECONDS)
    assert change(current_password=NEW).json["code"] == "step_up_required"


@pytest.mark.every_database
def test_of_two_changes_at_a_time_by_the_current_password_one_wins(change, log_in):
    passwords = [f"{NEW} {number}" for number in range(2)]
    with ThreadPoolExecutor(2) as pool:
        statuses = list(
            pool.map(lambda new: change(current_password=PASSWORD, new_password=new).status_code, passwords)
        )
    assert sorted(statuses) == [204, 401]
    assert log_in(password=passwords[statuses.index(204)]).status_code == 201


@pytest.mark.every_database
def test_success_and_failure_stand_in_the_audit_log(change, stored_events):
    change(current_password="something else")
    change(current_password=PASSWORD)
    events = [event for event in stored_events()[1:] if event.event != "sessions_ended"]
    assert [(event.event, event.outcome, event.user_id, event.actor_id) for event in events] == [
        ("password_changed", "credentials_wrong", 1, 1),
        ("password_changed", "done", 1, 1),
    ]
    assert {event.mobile_masked for event in events} == {"+86138****8000"}


def test_a_notice_that_cannot_be_sent_fails_nothing(change, log_in, sms_service):
    sms_service.refuses_notices = True
    assert change(current_password=PASSWORD).status_code == 204
    assert log_in(password=NEW).status_code == 201
