"""One order in every flow: the network is charged, the code is used up, and a right code is refunded at once."""

import pytest

from chassis.errors import DependencyUnavailable, SmsCodeWrong
from chassis.mobiles import Mobile
from user_service.clients.sms_service import SmsCodes
from user_service.limits.code_proofs import CodeProof, CodeProofs
from user_service.limits.login_guard import RateLimits

MOBILE, FREE, TAKEN = "+8613800138000", "+8613900139000", "+8613800138001"
CODE = "271828"
PASSWORD = "a wholly different one"
BUCKET = "user:code:ip:203.0.113.7"
# What is sent where, for which purpose; then a mobile for which the flow fails after a right code.
FLOWS = {
    "registration": ("POST", "/api/v1/users", "register", {"mobile": FREE, "password": PASSWORD}, MOBILE),
    "login": ("POST", "/api/v1/sessions", "login", {"mobile": MOBILE}, FREE),
    "password reset": (
        *("POST", "/api/v1/password-resets", "reset_password"),
        {"mobile": MOBILE, "password": PASSWORD},
        FREE,
    ),
    "change of mobile": ("PUT", "/api/v1/users/me/mobile", "change_mobile", {"mobile": FREE}, TAKEN),
    "recent authentication": ("POST", "/api/v1/reauthentications", "reauthenticate", {}, None),
}
flows = pytest.mark.parametrize("flow", FLOWS)


@pytest.fixture
def charges(redis, sms_service):
    """The charges of the network, each time at which sms-service is asked about a code."""
    seen = []
    answer = sms_service.answer

    def answer_and_note(*arguments):
        seen.append(redis.get(BUCKET))
        return answer(*arguments)

    sms_service.answer = answer_and_note
    return seen


@pytest.fixture
def present(owner, register, sms_service, charges):
    """Send a code in a flow, as the owner of an account; the right one is `CODE`."""
    register(mobile=TAKEN)
    charges.clear()

    def present(flow, code, mobile=None):
        method, path, purpose, fields, _ = FLOWS[flow]
        body = fields | ({"mobile": mobile} if mobile else {})
        key = (body.get("mobile", MOBILE), purpose)
        sms_service.live[key] = CODE
        if purpose in ("change_mobile", "reauthenticate"):
            sms_service.subjects[key] = str(owner.user["user_id"])
        return owner.call(method, path, {**body, "sms_code": code}).status_code

    return present


@flows
def test_the_network_is_charged_before_the_code_is_used_up_and_refunded_after(present, charges, redis, flow):
    assert present(flow, CODE) in (200, 201, 204)
    assert (charges, redis.get(BUCKET)) == (["1"], "0")


@flows
def test_a_wrong_code_stays_charged(present, redis, flow):
    assert present(flow, "000000") in (400, 401)
    assert redis.get(BUCKET) == "1"


@pytest.mark.parametrize("flow", [flow for flow in FLOWS if FLOWS[flow][4]])
def test_a_right_code_is_refunded_whatever_the_flow_does_afterwards(present, redis, flow):
    assert present(flow, CODE, mobile=FLOWS[flow][4]) in (400, 401, 409)
    assert redis.get(BUCKET) == "0"


def test_a_right_code_of_an_ended_session_is_refunded(present, owner, redis):
    owner.call("DELETE", "/api/v1/sessions/current")
    assert present("recent authentication", CODE) == 401
    assert redis.get(BUCKET) == "0"


@flows
def test_a_code_of_which_nothing_is_left_stays_charged(present, sms_service, redis, flow):
    sms_service.answer = lambda *_: ("400 Bad Request", {"code": "sms_code_expired", "detail": "gone", "errors": []})
    assert present(flow, CODE) in (400, 401)
    assert redis.get(BUCKET) == "1"


def test_a_network_may_present_as_many_wrong_codes_again_after_a_minute(present, redis):
    present("login", "000000")
    assert 59_000 < redis.pttl(BUCKET) <= 60_000


class _Codes:
    """Finds every code right, and counts them."""

    def __init__(self):
        self.used = 0

    def consume(self, **_fields):
        self.used += 1
        return True


@pytest.fixture
def codes():
    return _Codes()


@pytest.fixture
def proofs_by(redis, database):
    return lambda codes: CodeProofs(limits=RateLimits(redis), database=database, sms_codes=codes, per_ip_per_minute=2)


@pytest.fixture
def proofs(proofs_by, codes):
    return proofs_by(codes)


PROOF = CodeProof(mobile=Mobile(MOBILE), purpose="register", code=CODE, ip="203.0.113.7")


def test_a_preparation_that_fails_costs_neither_an_attempt_nor_a_code(proofs, codes, redis):
    def fail():
        raise DependencyUnavailable

    with pytest.raises(DependencyUnavailable):
        proofs.present_after(fail, PROOF)
    assert (codes.used, redis.get(BUCKET)) == (0, "0")


def test_the_preparation_comes_after_the_charge_and_its_result_is_returned(proofs, redis):
    assert proofs.present_after(lambda: redis.get(BUCKET), PROOF) == "1"


def test_a_code_that_cannot_be_one_is_wrong(proofs_by):
    proofs = proofs_by(SmsCodes(sms_service=None))
    with pytest.raises(SmsCodeWrong):
        proofs.present(CodeProof(mobile=Mobile(MOBILE), purpose="register", code="x", ip="203.0.113.7"))
