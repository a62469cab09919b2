"""Accounts that are opened by a login code, and live without a password until their owner sets one."""

from concurrent.futures import ThreadPoolExecutor

import pytest

pytestmark = pytest.mark.any_database  # But for what the unique mobile decides.

MOBILE = "+8613800138000"
CODE = "271828"
NEW = "a wholly different one"


@pytest.fixture
def enter(visitor, sms_service):
    """Log in by code, opening an account if there is none."""

    def enter(code=CODE, **fields):
        sms_service.live[MOBILE, "login"] = CODE
        body = {"mobile": MOBILE, "sms_code": code, "create_user": True, **fields}
        return visitor.call("POST", "/api/v1/sessions", body)

    return enter


@pytest.mark.every_database
def test_a_code_opens_an_account_where_there_is_none(enter, stored_users, sms_service):
    answer = enter()
    assert answer.status_code == 201
    assert answer.json["user"]["mobile"] == MOBILE
    assert answer.json["user"]["nick_name"].startswith("用户")
    assert answer.json["user"]["last_login"] is not None
    assert [user.password_hash for user in stored_users()] == [""]
    assert sms_service.requests[-1]["purpose"] == "login"


@pytest.mark.every_database
def test_a_second_code_signs_in_to_the_same_account(enter, stored_users):
    assert enter().json["user"]["id"] == enter().json["user"]["id"]
    assert len(stored_users()) == 1


def test_who_has_an_account_is_signed_in_to_it(register, enter):
    assert enter().json["user"]["id"] == register(mobile="+8613800138001").json["user"]["id"] - 1


def test_without_the_wish_no_account_is_opened(enter, stored_users):
    assert enter(create_user=False).json["code"] == "credentials_wrong"
    assert stored_users() == []


@pytest.mark.parametrize("code", ["000000", "x"])
def test_a_wrong_code_opens_nothing(enter, stored_users, code):
    answer = enter(code)
    assert (answer.status_code, answer.json["code"]) == (401, "credentials_wrong")
    assert stored_users() == []


# The second is the text behind the hash that unknown accounts are compared with.
@pytest.mark.parametrize("password", ["something else", "nobody has this password"])
def test_no_password_opens_an_account_without_one(enter, log_in, password):
    enter()
    wrong, unknown = log_in(password=password), log_in("+8613900139000", password=password)
    assert wrong.status_code == unknown.status_code == 401
    assert {**wrong.json, "request_id": ""} == {**unknown.json, "request_id": ""}


def test_its_owner_sets_a_password_while_the_proof_is_fresh(enter, visitor, log_in):
    owner = visitor.signed_in(enter())
    assert owner.call("PUT", "/api/v1/users/me/password", {"new_password": NEW}).status_code == 204
    assert log_in(password=NEW).status_code == 201


def test_no_current_password_is_right_while_there_is_none(enter, visitor):
    owner = visitor.signed_in(enter())
    body = {"current_password": "nobody has this password", "new_password": NEW}
    assert owner.call("PUT", "/api/v1/users/me/password", body).json["code"] == "credentials_wrong"


def test_its_owner_sets_a_password_by_a_reset(enter, visitor, log_in, sms_service):
    enter()
    sms_service.live[MOBILE, "reset_password"] = CODE
    body = {"mobile": MOBILE, "sms_code": CODE, "password": NEW}
    assert visitor.call("POST", "/api/v1/password-resets", body).status_code == 204
    assert log_in(password=NEW).status_code == 201


@pytest.mark.every_database
def test_codes_and_a_registration_at_a_time_open_one_account(register, enter, sms_service, stored_users):
    sms_service.answer = lambda *_: ("200 OK", {"verified": True, "attempts_left": 0})
    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(act) for act in (enter, enter, register)]
        statuses = [future.result().status_code for future in futures]
    assert statuses[:2] == [201, 201]
    assert statuses[2] in (201, 409)
    assert len(stored_users()) == 1


@pytest.mark.every_database
def test_opening_stands_in_the_audit_log(enter, stored_events):
    enter()
    [event] = stored_events()
    assert (event.event, event.outcome, event.user_id, event.mobile_masked) == (
        *("registration", "done", 1),
        "+86138****8000",
    )
