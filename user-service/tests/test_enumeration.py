"""T21 and T23: what is answered about a mobile tells nothing about its account.

A flow is one line of FLOWS; one whose route the service does not offer is not tried.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

pytestmark = pytest.mark.any_database  # Answers do not depend on it.

PASSWORD = "correct horse battery"
FLOWS = {
    "password": ("/api/v1/sessions", {"password": "something else"}),
    "wrong code": ("/api/v1/sessions", {"sms_code": "000000"}),
    "reset": ("/api/v1/password-resets", {"sms_code": "000000", "password": "another long password"}),
}
OFFERED = json.loads((Path(__file__).parents[1] / "openapi.json").read_text())["paths"]
flows = pytest.mark.parametrize("flow", [name for name, (path, _) in FLOWS.items() if path in OFFERED])
MOBILES = {
    "unknown": "+8613800138001",
    "known": "+8613800138002",
    "banned": "+8613800138003",
    "locked": "+8613800138004",
    "deleted": "+8613800138005",
    "must reset": "+8613800138006",
}
# Header values that differ from request to request for everybody.
IDS = {"X-Request-Id"}


@pytest.fixture
def people(register, change_user, redis, log_in):
    """One mobile of each kind."""
    for kind in MOBILES.keys() - {"unknown"}:
        assert register(mobile=MOBILES[kind]).status_code == 201
    change_user(MOBILES["banned"], banned_until=datetime.now(UTC) + timedelta(days=1), ban_reason="spam")
    change_user(MOBILES["deleted"], deleted_at=datetime.now(UTC))
    change_user(MOBILES["must reset"], must_reset_password=True)
    log_in(MOBILES["locked"], "something else")
    (streak,) = redis.keys("user:login:streak:*")
    redis.set(streak, 100)
    for key in redis.keys("user:login:account:*"):
        redis.delete(key)
    return MOBILES


@pytest.fixture
def seen(visitor):
    """Call once for each mobile, from addresses of their own, and return what a client can tell apart."""

    def see(path, fields):
        answers = {}
        for number, (kind, mobile) in enumerate(MOBILES.items()):
            person = visitor.at(f"198.51.100.{number}")
            answer = person.call("POST", path, {"mobile": mobile, **fields})
            body = answer.get_data(as_text=True).replace(answer.headers["X-Request-Id"], "")
            headers = sorted((name, value) for name, value in answer.headers if name not in IDS)
            answers[kind] = (answer.status_code, body, headers)
        return answers

    return see


@flows
def test_T21_every_kind_of_mobile_gets_the_same_answer(people, seen, flow):
    answers = seen(*FLOWS[flow])
    assert len({str(answer) for answer in answers.values()}) == 1
    assert answers["unknown"][0] in (400, 401)


def test_T21_a_right_password_opens_no_account_that_is_banned_locked_or_deleted(people, seen):
    answers = seen("/api/v1/sessions", {"password": PASSWORD})
    assert answers["known"][0] == 201
    assert answers["must reset"][0] == 403
    closed = {kind: answers[kind] for kind in ("banned", "locked", "deleted")}
    assert closed == dict.fromkeys(closed, answers["unknown"])


def test_T21_a_right_code_opens_no_account_that_is_banned_or_deleted(people, seen, sms_service):
    for mobile in MOBILES.values():
        sms_service.live[mobile, "login"] = "271828"
    answers = seen("/api/v1/sessions", {"sms_code": "271828"})
    assert [answers[kind][0] for kind in ("known", "locked", "must reset")] == [201] * 3
    closed = {kind: answers[kind] for kind in ("banned", "deleted")}
    assert closed == dict.fromkeys(closed, answers["unknown"])


@flows
def test_T23_every_kind_of_mobile_meets_captcha_and_limit_after_the_same_tries(people, visitor, flow):
    path, fields = FLOWS[flow]
    answers = {}
    for number, (kind, mobile) in enumerate(MOBILES.items()):
        person = visitor.at(f"203.0.113.{number}")
        answers[kind] = [person.call("POST", path, {"mobile": mobile, **fields}).status_code for _ in range(32)]
    assert answers == dict.fromkeys(answers, answers["unknown"])
    assert answers["unknown"][-1] in (403, 429)


def test_T23_a_closed_account_tells_the_same_wait(people, guess, visitor):
    waits = {}
    for number, (kind, mobile) in enumerate(MOBILES.items()):
        person = visitor.at(f"203.0.113.{number}")
        answers = [guess(mobile, person=person) for _ in range(7)]
        waits[kind] = [(answer.status_code, answer.headers.get("Retry-After") is None) for answer in answers]
    assert waits == dict.fromkeys(waits, [(401, True)] * 5 + [(429, False)] * 2)
