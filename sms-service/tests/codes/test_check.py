"""Wrong tries count over all codes of a mobile: lockouts for a while, and one that only an operator ends."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from redis import Redis

from chassis.errors import SmsCodeExpired
from chassis.mobiles import Mobile
from sms_service.app import create_app
from sms_service.codes.purposes import Purpose
from sms_service.codes.reservation import LimitReached
from sms_service.codes.sms_codes import CodeCheck, SmsCodes

pytestmark = pytest.mark.usefixtures("living_worker")

MOBILE, CODE = Mobile("+8613800138000"), "042619"


@pytest.fixture
def new_code(redis: Redis) -> Callable[..., None]:
    """Have a code that is live, whatever the limits of sending say."""

    def issue(codes: SmsCodes, purpose: Purpose = Purpose.LOGIN) -> None:
        for key in (*redis.keys("sms:cool:*"), *redis.keys("sms:sends:*"), *redis.keys("sms:unverified:*")):
            redis.delete(key)
        codes.commit(codes.reserve(MOBILE, purpose, subject="", ip="192.0.2.1"))

    return issue


def check(codes: SmsCodes, code: str = "000000", purpose: Purpose = Purpose.LOGIN) -> CodeCheck:
    return codes.check(MOBILE, purpose, code=code, subject="")


def wait_after(act: Callable[[], Any]) -> int:
    with pytest.raises(LimitReached) as refused:
        act()
    assert refused.value.limit == "guesses"
    return refused.value.retry_after_seconds or 0


def test_T7_wrong_tries_over_several_codes_start_a_lockout(make_codes, new_code) -> None:
    codes = make_codes(wrong_tries_before_rest=7, rest_seconds=1800)
    new_code(codes)
    tries = [check(codes) for _ in range(5)]
    new_code(codes)
    tries += [check(codes) for _ in range(2)]
    assert [each.starts_lockout for each in tries] == [False] * 6 + [True]
    assert 1798 <= wait_after(lambda: check(codes, CODE)) <= 1800
    assert 1798 <= wait_after(lambda: new_code(codes)) <= 1800


def test_a_mobile_without_a_live_code_is_locked_out_too(make_codes, new_code) -> None:
    codes = make_codes(wrong_tries_before_rest=5)
    new_code(codes)
    for _ in range(5):
        check(codes)
    assert wait_after(lambda: check(codes, CODE)) > 0


def test_after_the_lockout_codes_work_and_the_count_goes_on(make_codes, new_code, redis: Redis) -> None:
    codes = make_codes(wrong_tries_before_rest=5)
    new_code(codes)
    for _ in range(5):
        check(codes)
    [key] = redis.keys("sms:guesses:*")
    redis.hset(key, "rests_until", 1)
    new_code(codes)
    assert [check(codes).starts_lockout for _ in range(5)] == [False] * 4 + [True]


def test_a_right_code_forgets_the_wrong_ones(make_codes, new_code, redis: Redis) -> None:
    codes = make_codes(wrong_tries_before_rest=5)
    for _ in range(3):
        new_code(codes)
        for _ in range(4):
            check(codes)
        assert check(codes, CODE).is_right
    assert redis.keys("sms:guesses:*") == []


def test_too_many_wrong_tries_lock_a_mobile_out_until_an_operator_resets_it(make_codes, new_code, redis: Redis) -> None:
    codes = make_codes(wrong_tries_before_rest=100, wrong_tries_before_stop=8)
    new_code(codes)
    for _ in range(5):
        check(codes)
    new_code(codes)
    for _ in range(3):
        check(codes)
    assert wait_after(lambda: check(codes, CODE)) == 86400
    [key] = redis.keys("sms:guesses:*")
    assert int(redis.hget(key, "rests_until") or 0) / 1000 - redis.time()[0] > 364 * 86400
    assert codes.reset_guesses(MOBILE)
    assert not codes.reset_guesses(MOBILE)
    assert check(codes, CODE).is_right


def test_tries_without_a_live_code_do_not_count(make_codes, redis: Redis) -> None:
    codes = make_codes()
    with pytest.raises(SmsCodeExpired):
        check(codes)
    codes.reserve(MOBILE, Purpose.LOGIN, subject="", ip="192.0.2.1")
    with pytest.raises(SmsCodeExpired):
        check(codes)
    assert redis.keys("sms:guesses:*") == []


def test_strangers_cannot_lock_the_codes_of_a_signed_in_user(make_codes, new_code) -> None:
    codes = make_codes(wrong_tries_before_rest=5)
    new_code(codes, Purpose.REAUTHENTICATE)
    new_code(codes)
    for _ in range(5):
        check(codes)
    assert wait_after(lambda: check(codes, CODE, Purpose.RESET_PASSWORD)) > 0
    assert check(codes, CODE, Purpose.REAUTHENTICATE).is_right


def test_50_threads_guess_no_more_than_the_lockout_allows(make_codes, new_code, redis: Redis) -> None:
    codes = make_codes(wrong_tries_before_rest=3)
    new_code(codes)

    def is_tried(_: int) -> bool:
        try:
            return not check(codes).is_right
        except (LimitReached, SmsCodeExpired):
            return False

    with ThreadPoolExecutor(50) as pool:
        assert list(pool.map(is_tried, range(50))).count(True) == 3
    [key] = redis.keys("sms:guesses:*")
    assert redis.hget(key, "wrong") == "3"


def test_a_lockout_is_a_429_with_the_wait_for_asking_and_for_trying(
    make_settings, captcha_address, captcha_stub, called_by
) -> None:
    client = create_app(make_settings(captcha_service_url=captcha_address, wrong_tries_before_rest=1)).test_client()
    captcha_stub.answers |= {"one": "AB3D", "two": "AB3D"}
    body = {"mobile": MOBILE, "purpose": "login", "captcha_id": "one", "captcha_text": "AB3D"}
    assert client.post("/api/v1/sms-codes", json=body, headers=called_by("sms-service")).status_code == 202
    guess = {"mobile": MOBILE, "purpose": "login", "code": "x"}
    as_users = called_by("sms-service", "user-service")
    assert client.post("/internal/sms-codes/consume", json=guess, headers=as_users).json["attempts_left"] == 4
    answers = [
        client.post("/internal/sms-codes/consume", json=guess, headers=as_users),
        client.post("/api/v1/sms-codes", json=body | {"captcha_id": "two"}, headers=called_by("sms-service")),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json["code"], answer.json["errno"]) == (429, "too_many_requests", "4201")
        assert 3598 <= int(answer.headers["Retry-After"]) <= 3600
