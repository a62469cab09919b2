from concurrent.futures import ThreadPoolExecutor

import pytest

pytestmark = pytest.mark.any_database  # But for what the unique mobile decides.

OLD, NEW, OTHER = "+8613800138000", "+8613900139000", "+8613800138001"
CODE = "161803"


@pytest.fixture
def texted(sms_service):
    """Let a user have a live code for changing to a mobile."""

    def texted(mobile=NEW, user_id=1, code=CODE):
        sms_service.live[mobile, "change_mobile"] = code
        sms_service.subjects[mobile, "change_mobile"] = str(user_id)

    return texted


def change(person, mobile=NEW, code=CODE):
    return person.call("PUT", "/api/v1/users/me/mobile", {"mobile": mobile, "sms_code": code})


def without_id(answer):
    return {key: value for key, value in answer.json.items() if key != "request_id"}


@pytest.mark.every_database
def test_a_code_for_the_new_mobile_changes_it(owner, texted, log_in, sms_service):
    texted()
    answer = change(owner, "139 0013 9000")
    assert answer.status_code == 200
    assert answer.json == owner.call("GET", "/api/v1/users/me").json
    assert answer.json["mobile"] == NEW
    assert sms_service.requests[-1]["subject"] == "1"
    assert (log_in(NEW).status_code, log_in(OLD).status_code) == (201, 401)


def test_the_old_mobile_is_told_and_the_new_one_is_not(owner, texted, sms_service):
    texted()
    change(owner)
    assert sms_service.notices == [(OLD, "mobile_changed", "")]


def test_the_session_stays(owner, texted, revoked):
    texted()
    change(owner)
    assert owner.call("GET", "/api/v1/users/me").status_code == 200
    assert revoked() == []


@pytest.mark.every_database
def test_the_old_mobile_can_register_anew(owner, texted, register):
    texted()
    change(owner)
    assert register(mobile=OLD).json["user"]["id"] == 2


def test_an_old_proof_asks_for_a_step_up_before_the_code_is_spent(owner, texted, clock, sms_service):
    texted()
    clock.move(seconds=301)
    assert change(owner).json["code"] == "step_up_required"
    assert (NEW, "change_mobile") in sms_service.live


def test_T5_a_code_of_another_user_changes_nothing(owner, texted, sms_service):
    texted(user_id=2)
    answer = change(owner)
    assert (answer.status_code, answer.json["code"]) == (400, "sms_code_expired")
    assert owner.call("GET", "/api/v1/users/me").json["mobile"] == OLD
    assert (NEW, "change_mobile") in sms_service.live


@pytest.mark.parametrize("purpose", ["register", "login", "reset_password", "reauthenticate"])
def test_T5_a_code_of_another_purpose_changes_nothing(owner, sms_service, purpose):
    sms_service.live[NEW, purpose] = CODE
    assert change(owner).json["code"] == "sms_code_expired"


def test_T6_only_the_mobile_that_got_the_code_is_written(owner, texted, stored_users):
    texted(OTHER)
    assert change(owner, NEW).json["code"] == "sms_code_expired"
    assert [user.mobile for user in stored_users()] == [OLD]


@pytest.mark.every_database
def test_a_taken_mobile_is_told_only_after_the_right_code(owner, texted, register, sms_service):
    register(mobile=NEW)
    texted()
    wrong = change(owner, code="000000")
    assert (wrong.status_code, wrong.json["code"]) == (400, "sms_code_wrong")
    taken = change(owner)
    assert (taken.status_code, taken.json["code"], taken.json["errno"]) == (409, "mobile_taken", "4003")
    assert sms_service.notices == []


def test_with_a_wrong_code_taken_and_free_mobiles_look_the_same(owner, texted, register):
    register(mobile=NEW)
    texted(NEW)
    texted(OTHER)
    taken, free = change(owner, NEW, "000000"), change(owner, OTHER, "000000")
    assert (taken.status_code, without_id(taken)) == (free.status_code, without_id(free))


@pytest.mark.every_database
def test_of_two_users_who_change_to_one_mobile_at_a_time_one_wins(visitor, register, texted, sms_service, stored_users):
    people = [visitor.signed_in(register()), visitor.signed_in(register(mobile=OTHER))]
    # Both hold a right code, as if it had been texted twice.
    sms_service.answer = lambda *_: ("200 OK", {"verified": True, "attempts_left": 0})
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(change, people))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert [user.mobile for user in stored_users()].count(NEW) == 1
    assert len(sms_service.notices) == 1


@pytest.mark.every_database
def test_one_code_that_comes_twice_at_a_time_changes_once(owner, texted, sms_service):
    texted()
    with ThreadPoolExecutor(2) as pool:
        assert sorted(answer.status_code for answer in pool.map(change, [owner, owner])) == [200, 400]
    assert len(sms_service.notices) == 1


def test_the_own_mobile_stays_and_nobody_is_told(owner, texted, sms_service, stored_events):
    texted(OLD)
    assert change(owner, OLD).json["mobile"] == OLD
    assert sms_service.notices == []
    assert [event.event for event in stored_events()] == ["registration"]


def test_guesses_are_bounded(owner, texted):
    texted()
    assert [change(owner, code="000000").status_code for _ in range(31)] == [400] * 30 + [429]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "request_invalid"),
        ({"mobile": NEW}, 422, "request_invalid"),
        ({"mobile": NEW, "sms_code": 161803}, 422, "request_invalid"),
        ({"mobile": NEW, "sms_code": CODE, "user_id": 2}, 422, "request_invalid"),
        ({"mobile": "12345", "sms_code": CODE}, 400, "mobile_invalid"),
        ({"mobile": "13900139000\x01", "sms_code": CODE}, 400, "mobile_invalid"),
    ],
)
def test_a_wrong_body_is_refused(owner, body, status, code):
    answer = owner.call("PUT", "/api/v1/users/me/mobile", body)
    assert (answer.status_code, answer.json["code"]) == (status, code)


def test_nobody_changes_a_mobile_without_a_session(visitor, texted):
    texted()
    assert change(visitor).json["code"] == "unauthenticated"


@pytest.mark.every_database
def test_success_and_failure_stand_in_the_audit_log(owner, texted, register, stored_events):
    register(mobile=OTHER)
    for mobile in (NEW, OTHER):
        texted(mobile)
    change(owner, code="000000")
    change(owner, OTHER)
    change(owner)
    events = [event for event in stored_events() if event.event == "mobile_changed"]
    assert [(event.outcome, event.actor_id, event.mobile_masked, event.detail) for event in events] == [
        ("sms_code_wrong", 1, "+86139****9000", ""),
        ("mobile_taken", 1, "+86138****8001", ""),
        ("done", 1, "+86139****9000", "from +86138****8000"),
    ]


def test_a_notice_that_cannot_be_sent_fails_nothing(owner, texted, sms_service):
    texted()
    sms_service.refuses_notices = True
    assert change(owner).json["mobile"] == NEW
