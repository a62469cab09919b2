from concurrent.futures import ThreadPoolExecutor

import pytest

pytestmark = pytest.mark.any_database  # But for what comes twice at a time.

MOBILE, STRANGER = "+8613800138000", "+8613900139000"
CODE = "271828"
PASSWORD, NEW = "correct horse battery", "a wholly different one"


@pytest.fixture
def reset(visitor, sms_service):
    """Reset a password with a live code; fields may be replaced."""

    def reset(person=visitor, **fields):
        mobile = fields.get("mobile", MOBILE)
        sms_service.live.setdefault((mobile, "reset_password"), CODE)
        body = {"mobile": mobile, "sms_code": CODE, "password": NEW, **fields}
        return person.call("POST", "/api/v1/password-resets", body)

    return reset


def without_id(answer):
    return {key: value for key, value in answer.json.items() if key != "request_id"}


def outcomes_of(events):
    return [(event.event, event.outcome, event.user_id, event.mobile_masked) for event in events]


def test_a_reset_changes_the_password_and_signs_nobody_in(register, reset, log_in, stored_sessions):
    register()
    answer = reset()
    assert (answer.status_code, answer.data) == (204, b"")
    assert "Set-Cookie" not in answer.headers
    assert len(stored_sessions()) == 1
    assert log_in().status_code == 401
    assert log_in(password=NEW).status_code == 201


@pytest.mark.every_database
def test_every_session_ends(register, log_in, reset, refresh, revoked, claims_of):
    answers = [register(), log_in(), log_in()]
    reset()
    assert [refresh(answer.json["refresh_token"]).status_code for answer in answers] == [401, 401, 401]
    newest = max(claims_of(answer.json["access_token"])["sid"] for answer in answers)
    assert [(entry["kind"], entry["through"]) for entry in revoked()] == [("user", newest)]


def test_the_owner_is_told_in_their_language(register, visitor, reset, sms_service):
    register()
    sms_service.live[MOBILE, "reset_password"] = CODE
    body = {"mobile": MOBILE, "sms_code": CODE, "password": NEW}
    visitor.call("POST", "/api/v1/password-resets", body, **{"Accept-Language": "en-GB,en;q=0.8"})
    assert sms_service.notices == [(MOBILE, "password_changed", "en-GB,en;q=0.8")]


def test_a_demanded_reset_is_done(register, reset, database, stored_users):
    register()
    with database.write() as db:
        db.merge(stored_users()[0]).must_reset_password = True
    reset()
    assert stored_users()[0].must_reset_password is False


@pytest.mark.parametrize(("password", "reason"), [("1234567", "too_short"), ("password1", None), (MOBILE, "is_mobile")])
def test_T11_a_rejected_password_does_not_use_the_code_up(register, reset, log_in, sms_service, password, reason):
    register()
    rejected = reset(password=password)
    assert (rejected.status_code, rejected.json["code"]) == (422, "password_rejected")
    assert {error["field"] for error in rejected.json["errors"]} == {"password"}
    assert reason in {None, *(error["code"] for error in rejected.json["errors"])}
    assert [request["purpose"] for request in sms_service.requests] == ["register"]
    assert reset().status_code == 204
    assert log_in(password=NEW).status_code == 201


def test_a_wrong_code_changes_nothing(register, reset, log_in, sms_service):
    register()
    answer = reset(sms_code="000000")
    assert (answer.status_code, answer.json["code"], answer.json["errno"]) == (400, "sms_code_wrong", "4103")
    assert log_in().status_code == 201
    assert sms_service.notices == []


@pytest.mark.parametrize("code", ["000000", CODE])
def test_an_unknown_mobile_is_answered_like_a_wrong_code(register, reset, code):
    register()
    known, unknown = reset(sms_code="000000"), reset(mobile=STRANGER, sms_code=code)
    assert known.status_code == unknown.status_code == 400
    assert without_id(known) == without_id(unknown)
    assert set(known.headers.keys()) == set(unknown.headers.keys())


def test_without_a_code_known_and_unknown_are_told_the_same(register, visitor):
    register()
    bodies = [{"mobile": mobile, "sms_code": CODE, "password": NEW} for mobile in (MOBILE, STRANGER)]
    known, unknown = (visitor.call("POST", "/api/v1/password-resets", body) for body in bodies)
    assert without_id(known) == without_id(unknown)
    assert known.json["code"] == "sms_code_expired"


@pytest.mark.parametrize("purpose", ["register", "login", "change_mobile", "reauthenticate"])
def test_T5_a_code_of_another_purpose_resets_nothing(register, visitor, sms_service, log_in, purpose):
    register()
    sms_service.live[MOBILE, purpose] = CODE
    body = {"mobile": MOBILE, "sms_code": CODE, "password": NEW}
    assert visitor.call("POST", "/api/v1/password-resets", body).json["code"] == "sms_code_expired"
    assert log_in().status_code == 201


def test_T6_a_code_sent_to_one_mobile_resets_no_other(register, visitor, sms_service, log_in):
    register()
    register(mobile=STRANGER)
    sms_service.live[STRANGER, "reset_password"] = CODE
    body = {"mobile": MOBILE, "sms_code": CODE, "password": NEW}
    assert visitor.call("POST", "/api/v1/password-resets", body).json["code"] == "sms_code_expired"
    assert log_in().status_code == 201
    assert sms_service.live == {(STRANGER, "reset_password"): CODE}


@pytest.mark.every_database
def test_a_code_resets_once_when_it_comes_twice_at_a_time(register, reset, visitor, sms_service):
    register()
    sms_service.live[MOBILE, "reset_password"] = CODE
    body = {"mobile": MOBILE, "sms_code": CODE, "password": NEW}
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda _: visitor.call("POST", "/api/v1/password-resets", body).status_code, range(4))
        assert sorted(answers) == [204, 400, 400, 400]


def test_guesses_of_one_address_are_bounded_before_the_code_is_asked(reset, visitor, sms_service):
    statuses = [reset(sms_code="000000").status_code for _ in range(31)]
    assert statuses == [400] * 30 + [429]
    assert len(sms_service.requests) == 30
    assert reset(visitor.at("198.51.100.1"), mobile=STRANGER, sms_code="000000").status_code == 400


def test_right_codes_cost_no_tries(register, reset):
    register()
    assert [reset().status_code for _ in range(31)] == [204] * 31


@pytest.mark.every_database
def test_success_and_failure_stand_in_the_audit_log(register, reset, stored_events):
    register()
    reset(sms_code="000000")
    reset(mobile=STRANGER)
    reset()
    assert outcomes_of(event for event in stored_events()[1:] if event.event != "sessions_ended") == [
        ("password_reset", "sms_code_wrong", 1, "+86138****8000"),
        ("password_reset", "sms_code_wrong", None, "+86139****9000"),
        ("password_reset", "done", 1, "+86138****8000"),
    ]


def test_a_notice_that_cannot_be_sent_fails_nothing(register, reset, log_in, sms_service, log_lines):
    register()
    sms_service.refuses_notices = True
    assert reset().status_code == 204
    assert log_in(password=NEW).status_code == 201
    [line] = [line for line in log_lines if line["event"] == "notice_not_sent"]
    assert (line["notice"], line["reason"]) == ("password_changed", "sms_unavailable")
    assert "138001380" not in str(line)


def test_without_redis_nothing_is_reset(register, reset, visitor, app_without_redis, sms_service):
    register()
    answer = reset(visitor.through(app_without_redis))
    assert (answer.status_code, answer.json["code"]) == (503, "service_unavailable")
    assert len(sms_service.requests) == 1


def test_while_sms_service_breaks_nothing_is_reset(register, reset, log_in, sms_service):
    register()
    sms_service.broken = True
    assert reset().status_code == 502
    sms_service.broken = False
    assert log_in().status_code == 201
