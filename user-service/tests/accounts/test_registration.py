"""Registration, and accounts that a login code opens: those have no password until their owner sets one."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from zxcvbn.frequency_lists import FREQUENCY_LISTS

MOBILE = "+8613800138000"
CODE = "031415"
PASSWORD = "correct horse battery"


def test_registering_signs_in_and_answers_the_user(register, clock):
    answer = register()
    user = answer.json["user"]
    moment = clock.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/api/v1/users/{user['id']}"
    assert answer.headers["Cache-Control"] == "no-store"
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 600)
    assert re.fullmatch("用户[2-9a-z]{4}", user.pop("nick_name"))
    assert user == {
        "id": 1,
        "mobile": MOBILE,
        "avatar_url": None,
        "signature": None,
        "gender": "MAN",
        "roles": [],
        "created_at": moment,
        "last_login": moment,
    }


def test_the_password_is_stored_as_a_keyed_argon2id_hash(register, stored_users):
    register()
    assert stored_users()[0].password_hash.startswith("hmac-sha256:test$argon2id$v=19$")
    with pytest.raises(AttributeError, match="cannot be read"):
        _ = stored_users()[0].password


@pytest.mark.any_database
def test_the_code_is_consumed_for_the_purpose_register_under_our_own_name(register, sms_service, internal_tokens):
    register(mobile="138 0013 8000")
    (request,) = sms_service.requests
    caller = internal_tokens.read_token(request.pop("token"), audience="sms-service")
    assert (caller.service, caller.user_id) == ("user-service", None)
    assert request == {
        "path": "/internal/sms-codes/consume",
        "mobile": MOBILE,
        "purpose": "register",
        "code": CODE,
    }


@pytest.mark.any_database
@pytest.mark.parametrize("spelling", ["13800138000", "+86 138-0013-8000", "008613800138000"])
def test_every_spelling_of_a_mobile_is_one_account(register, stored_users, spelling):
    register()
    answer = register(mobile=spelling)
    assert (answer.status_code, answer.json["code"], answer.json["errno"]) == (409, "mobile_taken", "4003")
    assert len(stored_users()) == 1


def test_a_taken_mobile_is_told_only_to_who_holds_a_code(register, visitor):
    register()
    body = {"mobile": MOBILE, "sms_code": CODE, "password": PASSWORD}
    assert visitor.call("POST", "/api/v1/users", body).json["code"] == "sms_code_expired"


def test_a_wrong_code_makes_no_account(register, stored_users):
    answer = register(sms_code="999999")
    assert (answer.status_code, answer.json["code"], answer.json["errno"]) == (400, "sms_code_wrong", "4103")
    assert stored_users() == []


@pytest.mark.any_database
def test_a_code_that_cannot_be_one_is_wrong_without_asking(register, sms_service):
    for text in ("03141", "0314155", "abcdef", "零三一四一五", "\u200b"):
        assert register(sms_code=text).json["code"] == "sms_code_wrong"
    assert sms_service.requests == []


@pytest.mark.any_database
@pytest.mark.parametrize(
    "text",
    [
        "031 415",
        "031-415",
        "０３１４１５",
        "031\u00a0415",
        "031\u2011415",
        "\u2068031415\u2069",
        "0\u200b31415\n",
        "\u0660\u0663\u0661\u0664\u0661\u0665",
        "验证码：031415",
    ],
    ids=ascii,
)
def test_the_digits_of_a_code_are_picked_out(register, sms_service, text):
    assert register(sms_code=text).status_code == 201
    assert sms_service.requests[-1]["code"] == CODE


@pytest.mark.any_database
@pytest.mark.parametrize("mobile", ["\u202d138\u00a00013\u20118000\u202c", "\uff0b86 １３８ 00138000"], ids=ascii)
def test_a_copied_mobile_is_the_mobile(register, log_in, stored_users, mobile):
    assert register(mobile=mobile).status_code == 201
    assert stored_users()[0].mobile == MOBILE
    assert log_in(mobile=mobile).status_code == 201


@pytest.mark.any_database
def test_without_a_live_code_it_is_expired(visitor, stored_users):
    answer = visitor.call("POST", "/api/v1/users", {"mobile": MOBILE, "sms_code": CODE, "password": PASSWORD})
    assert (answer.status_code, answer.json["code"], answer.json["errno"]) == (400, "sms_code_expired", "4002")
    assert stored_users() == []


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("password", "reason"),
    [("shrt!7x", "too_short"), ("x1" * 65, "too_long"), ("Password123", "common"), ("138 0013 8000", "is_mobile")],
)
def test_a_rejected_password_does_not_use_the_code_up(register, sms_service, password, reason):
    answer = register(password=password)
    assert (answer.status_code, answer.json["code"]) == (422, "password_rejected")
    assert [(error["field"], error["code"]) for error in answer.json["errors"]] == [("password", reason)]
    assert sms_service.requests == []


@pytest.mark.any_database
def test_a_blank_at_the_end_is_not_judged_but_belongs_to_the_password(register, log_in):
    assert register(password="woaini123 ").json["errors"][0]["code"] == "words"
    assert register(password=f"{PASSWORD} ").status_code == 201
    assert log_in(password=PASSWORD).status_code == 401
    assert log_in(password=f"{PASSWORD} ").status_code == 201


@pytest.mark.any_database
def test_T24_the_most_used_passwords_are_refused_at_registering(register, sms_service):
    long_enough = [word for word in FREQUENCY_LISTS["passwords"][:3000] if len(word) >= 8]
    answers = [register(password=word) for word in long_enough]
    assert len(answers) > 800
    assert {answer.status_code for answer in answers} == {422}
    assert all("common" in [error["code"] for error in answer.json["errors"]] for answer in answers)
    assert sms_service.requests == []


@pytest.mark.any_database
def test_the_nick_name_is_no_password(register):
    answer = register(nick_name="Ａlice Li", password="alice-LI-2026!")
    assert [error["code"] for error in answer.json["errors"]] == ["is_nick_name"]


def test_a_chosen_nick_name_is_kept_in_one_spelling(register):
    assert register(nick_name="  Ａｌｉｃｅ \u3000 Li ").json["user"]["nick_name"] == "Alice Li"


def test_a_taken_nick_name_does_not_use_the_code_up(register, sms_service):
    register(nick_name="Alice")
    answer = register(mobile="+8613800138001", nick_name="Alice")
    assert (answer.status_code, answer.json["code"], answer.json["errno"]) == (409, "nick_name_taken", "4003")
    assert len(sms_service.requests) == 1


@pytest.mark.any_database
@pytest.mark.parametrize("nick_name", ["13800138000", "+86 138-0013-8000", "a١٣٨٠٠١٣٨٠٠٠", "\u200b", " ", "x" * 33])
def test_a_nick_name_that_will_not_do_is_named(register, nick_name):
    answer = register(nick_name=nick_name)
    assert (answer.status_code, answer.json["code"]) == (422, "request_invalid")
    assert answer.json["errors"][0]["field"] == "nick_name"


@pytest.mark.any_database
def test_a_failing_sms_service_is_a_bad_gateway(register, sms_service, stored_users):
    sms_service.broken = True
    answer = register()
    assert (answer.status_code, answer.json["code"]) == (502, "upstream_unavailable")
    assert "Retry-After" in answer.headers
    assert stored_users() == []


def test_parallel_registrations_of_one_mobile_make_one_account(visitor, sms_service, stored_users):
    codes = ["100001", "100002"]
    # Whatever the codes say, the table decides: this stub takes any code.
    sms_service.answer = lambda *_: ("200 OK", {"verified": True, "attempts_left": 0})

    def register(code):
        body = {"mobile": MOBILE, "sms_code": code, "password": PASSWORD}
        return visitor.call("POST", "/api/v1/users", body).status_code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(register, codes)) == [201, 409]
    assert len(stored_users()) == 1


@pytest.mark.any_database
def test_an_address_that_presents_too_many_wrong_codes_must_wait(register, sms_service, visitor):
    statuses = [register(sms_code="999999").status_code for _ in range(31)]
    before = len(sms_service.requests)
    answer = register()
    assert statuses == [400] * 30 + [429]
    assert (answer.status_code, answer.json["code"]) == (429, "too_many_requests")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert len(sms_service.requests) == before == 30


def test_registering_keeps_no_secret_anywhere(register, redis, stored_users, stored_sessions, log_lines):
    answer = register()
    wrong = register(sms_code="271828", mobile="+8613800138001")
    assert wrong.status_code == 400
    kept = [str(vars(row)) for row in (*stored_users(), *stored_sessions())]
    texts = " ".join([*kept, str(log_lines), *redis.keys(), *map(str, redis.xrange("user:revocations"))])
    refresh_secret = answer.json["refresh_token"].rpartition(".")[2]
    for secret in (PASSWORD, "271828", refresh_secret, answer.json["access_token"], "3800138001"):
        assert secret not in texts


LOGIN_CODE = "271828"
NEW = "a wholly different one"


@pytest.fixture
def enter(visitor, sms_service):
    """Log in by code, opening an account if there is none."""

    def enter(code=LOGIN_CODE, **fields):
        sms_service.live[MOBILE, "login"] = LOGIN_CODE
        body = {"mobile": MOBILE, "sms_code": code, "create_user": True, **fields}
        return visitor.call("POST", "/api/v1/sessions", body)

    return enter


def test_a_code_opens_an_account_where_there_is_none(enter, stored_users, sms_service):
    answer = enter()
    assert answer.status_code == 201
    assert answer.json["user"]["mobile"] == MOBILE
    assert answer.json["user"]["nick_name"].startswith("用户")
    assert answer.json["user"]["last_login"] is not None
    assert [user.password_hash for user in stored_users()] == [""]
    assert sms_service.requests[-1]["purpose"] == "login"


def test_a_second_code_signs_in_to_the_same_account(enter, stored_users):
    assert enter().json["user"]["id"] == enter().json["user"]["id"]
    assert len(stored_users()) == 1


@pytest.mark.any_database
def test_who_has_an_account_is_signed_in_to_it(register, enter):
    assert enter().json["user"]["id"] == register(mobile="+8613800138001").json["user"]["id"] - 1


@pytest.mark.any_database
def test_without_the_wish_no_account_is_opened(enter, stored_users):
    assert enter(create_user=False).json["code"] == "credentials_wrong"
    assert stored_users() == []


@pytest.mark.any_database
@pytest.mark.parametrize("code", ["000000", "x"])
def test_a_wrong_code_opens_nothing(enter, stored_users, code):
    answer = enter(code)
    assert (answer.status_code, answer.json["code"]) == (401, "credentials_wrong")
    assert stored_users() == []


# The second is the text behind the hash that unknown accounts are compared with.
@pytest.mark.any_database
@pytest.mark.parametrize("password", ["something else", "nobody has this password"])
def test_no_password_opens_an_account_without_one(enter, log_in, password):
    enter()
    wrong, unknown = log_in(password=password), log_in("+8613900139000", password=password)
    assert wrong.status_code == unknown.status_code == 401
    assert {**wrong.json, "request_id": ""} == {**unknown.json, "request_id": ""}


@pytest.mark.any_database
def test_its_owner_sets_a_password_while_the_proof_is_fresh(enter, visitor, log_in):
    owner = visitor.signed_in(enter())
    assert owner.call("PUT", "/api/v1/users/me/password", {"new_password": NEW}).status_code == 204
    assert log_in(password=NEW).status_code == 201


@pytest.mark.any_database
def test_no_current_password_is_right_while_there_is_none(enter, visitor):
    owner = visitor.signed_in(enter())
    body = {"current_password": "nobody has this password", "new_password": NEW}
    assert owner.call("PUT", "/api/v1/users/me/password", body).json["code"] == "credentials_wrong"


@pytest.mark.any_database
def test_its_owner_sets_a_password_by_a_reset(enter, visitor, log_in, sms_service):
    enter()
    sms_service.live[MOBILE, "reset_password"] = LOGIN_CODE
    body = {"mobile": MOBILE, "sms_code": LOGIN_CODE, "password": NEW}
    assert visitor.call("POST", "/api/v1/password-resets", body).status_code == 204
    assert log_in(password=NEW).status_code == 201


def test_codes_and_a_registration_at_a_time_open_one_account(register, enter, sms_service, stored_users):
    sms_service.answer = lambda *_: ("200 OK", {"verified": True, "attempts_left": 0})
    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(act) for act in (enter, enter, register)]
        statuses = [future.result().status_code for future in futures]
    assert statuses[:2] == [201, 201]
    assert statuses[2] in (201, 409)
    assert len(stored_users()) == 1


def test_opening_stands_in_the_audit_log(enter, stored_events):
    enter()
    [event] = stored_events()
    assert (event.event, event.outcome, event.user_id, event.mobile_masked) == (
        *("registration", "done", 1),
        "+86138****8000",
    )
