import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import svcs

from chassis.errors import TooManyRequests
from user_service.app import create_app
from user_service.limits.login_guard import Bucket, LoginDelay, RateLimits, _refuse

pytestmark = pytest.mark.any_database  # Limits live in Redis.

MOBILE = "+8613800138000"
UNKNOWN = "+8613900139000"
CODE = "271828"
PASSWORD = "correct horse battery"
_FIVE_MINUTES = "user:login:account:*"


@pytest.fixture
def let_five_minutes_pass(redis):
    """Empty the buckets of accounts and addresses, as time does; rows of failures stay."""

    def forget():
        for pattern in (_FIVE_MINUTES, "user:login:ip:*"):
            for key in redis.keys(pattern):
                redis.delete(key)

    return forget


@pytest.fixture
def fail(guess, let_five_minutes_pass):
    """Fail so many times, however long that takes."""

    def fail(times, mobile=MOBILE):
        for _ in range(times):
            assert guess(mobile).status_code == 401
            let_five_minutes_pass()

    return fail


@pytest.mark.parametrize("registered", [True, False])
def test_the_fourth_try_after_three_failures_needs_a_captcha(register, log_in, solve, registered):
    if registered:
        register()
    statuses = [log_in(password="something else").status_code for _ in range(5)]
    assert statuses == [401, 401, 401, 403, 403]
    answer = log_in()
    assert (answer.status_code, answer.json["code"], answer.json["errmsg"]) == (
        *(403, "captcha_required", "请输入图片验证码"),
    )
    assert log_in(**solve()).status_code == (201 if registered else 401)


def test_ten_failures_of_one_address_ask_every_mobile_for_a_captcha(register, log_in, visitor, solve):
    register()
    statuses = [log_in(f"+86138001381{number:02d}").status_code for number in range(11)]
    assert statuses == [401] * 10 + [403]
    assert log_in().status_code == 403
    assert log_in(**solve()).status_code == 201
    assert log_in(person=visitor.at("198.51.100.1")).status_code == 201


def test_a_wrong_or_spent_captcha_checks_no_password_and_takes_no_place(
    register, log_in, solve, internal_tokens, captcha_service
):
    register()
    for _ in range(3):
        log_in(password="something else")
    captcha = solve()
    wrong = log_in(**{**captcha, "captcha_text": "nope"})
    assert (wrong.status_code, wrong.json["code"]) == (400, "captcha_wrong")
    assert [log_in(**captcha).json["code"] for _ in range(9)] == ["captcha_expired"] * 9
    assert log_in(**solve()).status_code == 201
    callers = {
        internal_tokens.read_token(token, audience="captcha-service").service for token in captcha_service.callers
    }
    assert callers == {"user-service"}


def test_a_captcha_that_nobody_can_judge_lets_nobody_in(register, log_in, solve, captcha_service):
    register()
    captcha_service.broken = True
    assert log_in(**solve()).status_code == 503


def test_the_captcha_counts_per_mobile_however_it_is_spelled(log_in):
    spellings = ["13800138000", "+86 138 0013 8000", "008613800138000"]
    assert [log_in(spelling, "something else").status_code for spelling in spellings] == [401] * 3
    assert log_in("138-0013-8000").json["code"] == "captcha_required"


@pytest.mark.parametrize(("fields", "calls"), [({}, 2), ({"password": "something else"}, 1)])
def test_a_login_by_password_asks_the_counters_once_before_the_hash_and_once_after(
    register, log_in, redis, fields, calls
):
    register()
    log_in()  # Loads the scripts.
    redis.config_resetstat()
    log_in(**fields)
    assert redis.info("commandstats")["cmdstat_evalsha"]["calls"] == calls


@pytest.mark.parametrize("registered", [True, False])
def test_T18_every_spelling_of_a_mobile_charges_one_bucket(register, guess, registered, redis):
    if registered:
        register()
    spellings = ["13800138000", "+86 138 0013 8000", "008613800138000", "138-0013-8000", "(138) 00138000", MOBILE]
    assert [guess(spelling).status_code for spelling in spellings] == [401] * 5 + [429]
    copied = ["13800138000\n", "１３８００１３８０００", "١٣٨٠٠١٣٨٠٠٠", "\u202d138\u00a00013\u20118000\u202c"]
    assert [guess(spelling).status_code for spelling in copied] == [429] * 4
    assert guess("13800138000\x01").json["code"] == "mobile_invalid"
    assert len(redis.keys(_FIVE_MINUTES)) == 1


@pytest.mark.parametrize("mobile", [MOBILE, UNKNOWN])
def test_every_five_failures_in_a_row_hold_the_next_up_a_second_longer(register, fail, log_in, naps, mobile):
    register()
    fail(12, mobile)
    assert naps == [1] * 5 + [2] * 2
    naps.clear()
    fail(55, mobile)
    assert naps[-1] == 10
    assert max(naps) == 10


def test_a_right_password_begins_the_row_anew(register, fail, log_in, naps):
    register()
    fail(7)
    assert log_in().status_code == 201
    naps.clear()
    fail(4)
    assert naps == []


def test_a_hundred_failures_in_a_row_leave_the_login_by_code_alone(
    register, fail, log_in, log_in_by_code, sms_service, let_five_minutes_pass
):
    register()
    fail(100)
    right, wrong = log_in(), log_in(password="something else")
    assert (right.status_code, right.json["code"]) == (401, "credentials_wrong")
    assert {**right.json, "request_id": ""} == {**wrong.json, "request_id": ""}
    sms_service.live[MOBILE, "login"] = CODE
    assert log_in_by_code().status_code == 201
    let_five_minutes_pass()
    assert log_in().status_code == 201


def test_ninety_nine_failures_in_a_row_still_let_the_owner_in(register, fail, log_in):
    register()
    fail(99)
    assert log_in().status_code == 201


def test_a_row_is_remembered_as_many_days_as_it_is_long(fail, redis):
    days = []
    for _ in range(40):
        fail(1)
        days.append(round(redis.ttl(redis.keys("user:login:streak:*")[0]) / 86400))
    assert days == [*range(1, 31), *[30] * 10]


def test_no_more_logins_are_delayed_than_there_are_slots():
    delayed, go_on = threading.Semaphore(0), threading.Event()

    def sleep(_seconds):
        delayed.release()
        go_on.wait(10)

    delay = LoginDelay(slots=2, sleep=sleep)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(delay.wait, 5) for _ in range(2)]
        delayed.acquire(timeout=10)
        delayed.acquire(timeout=10)
        with pytest.raises(TooManyRequests) as refused:
            delay.wait(17)
        delay.wait(4)
        go_on.set()
        assert [future.result(10) for future in waiting] == [None, None]
    assert refused.value.retry_after_seconds == 3
    delay.wait(5)


def test_a_login_that_finds_no_slot_to_wait_is_not_counted(settings, clock, register, fail, visitor, log_in, redis):
    register()
    fail(5)
    before = redis.get(redis.keys("user:login:streak:*")[0])

    def refuse(_seconds):
        raise TooManyRequests(retry_after_seconds=1)

    app = create_app(settings, clock=clock, sleep=refuse)
    assert log_in(person=visitor.through(app)).status_code == 429
    svcs.flask.close_registry(app)
    assert redis.get(redis.keys("user:login:streak:*")[0]) == before
    assert [redis.get(key) for key in redis.keys(_FIVE_MINUTES)] == ["0"]


def test_a_failure_is_counted_for_five_minutes_by_mobile_and_for_a_minute_by_network(log_in, redis):
    log_in()
    [account] = redis.keys(_FIVE_MINUTES)
    assert 299_000 < redis.pttl(account) <= 300_000
    assert 59_000 < redis.pttl("user:login:ip:203.0.113.7") <= 60_000


@pytest.mark.parametrize(("milliseconds", "seconds"), [(1, 1), (1000, 1), (1001, 2), (2500, 3)])
def test_the_advice_to_wait_is_rounded_up_to_whole_seconds(milliseconds, seconds):
    with pytest.raises(TooManyRequests) as refused:
        _refuse(milliseconds)
    assert refused.value.retry_after_seconds == seconds


def test_a_full_bucket_is_closed_though_redis_names_no_time_to_wait(redis):
    redis.set("full", 1)  # PTTL is negative without an end, and 0 in the last millisecond.
    with pytest.raises(TooManyRequests) as refused:
        RateLimits(redis).charge(Bucket("full", 1, 60))
    assert (refused.value.retry_after_seconds, redis.get("full")) == (1, "1")


def test_all_buckets_are_charged_or_none_and_refunds_stop_at_zero(redis):
    limits, full, free = RateLimits(redis), Bucket("full", 1, 60), Bucket("free", 5, 60)
    limits.charge(full)
    with pytest.raises(TooManyRequests):
        limits.charge(full, free)
    assert redis.get("free") is None
    limits.refund(full, free)
    limits.refund(full, free)
    assert (redis.get("full"), redis.get("free")) == ("0", None)
