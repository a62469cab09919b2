"""The limits of RESERVE: each refuses, says how long, gives back on ABORT, charges nothing when it refuses; races."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from redis import Redis

from chassis.mobiles import Mobile
from sms_service.codes.crypto import CodeKeys
from sms_service.codes.purposes import Purpose
from sms_service.codes.reservation import BudgetSpent, LimitReached, Reservation
from sms_service.codes.sms_codes import SmsCodes

HOME, CODE = "+8613800138000", "042619"
HOUR, DAY = 3600, 86400
MANY = {
    f"sends_per_{name}": 1000
    for name in ("mobile_per_hour", "mobile_per_day", "ip_per_hour", "ip_per_day", "block_per_hour", "block_per_day")
}


def reserve(
    codes: SmsCodes, mobile: str = HOME, *, ip: str = "192.0.2.1", purpose: Purpose = Purpose.LOGIN
) -> Reservation:
    return codes.reserve(Mobile(mobile), purpose, subject="", ip=ip)


def refusal(codes: SmsCodes, mobile: str = HOME, **more: Any) -> LimitReached | BudgetSpent:
    with pytest.raises((LimitReached, BudgetSpent)) as refused:
        reserve(codes, mobile, **more)
    assert isinstance(refused.value, LimitReached | BudgetSpent)
    return refused.value


def enter(codes: SmsCodes, reservation: Reservation, mobile: str = HOME) -> None:
    """Enter the code rightly."""
    codes.commit(reservation)
    assert codes.check(Mobile(mobile), reservation.purpose, code=CODE, subject="").is_right


def numbers(count: int, *, blocks: int = 1) -> list[str]:
    return [f"+86138{i % blocks:04}{i:04}" for i in range(count)]


def snapshot(redis: Redis) -> dict[str, Any]:
    """Everything that is kept, the jobs apart."""
    readers = {
        "hash": redis.hgetall,
        "string": redis.get,
        "zset": lambda key: redis.zrange(key, 0, -1, withscores=True),
    }
    return {key: readers[redis.type(key)](key) for key in redis.keys("sms:*") if not key.startswith("sms:job:")}


@pytest.fixture
def count_before(redis: Redis) -> Callable[..., None]:
    """Write a counter as if it had counted before: in the running window, and in the next if a window ends now."""

    def put(prefix: str, window_seconds: int, *, back: int = 0, **amounts: int) -> None:
        index = int(redis.time()[0]) // window_seconds - back
        for each in (index, index + 1) if back == 0 else (index,):
            redis.hset(f"{prefix}{each}", mapping=amounts)

    return put


def test_the_resend_interval_grows_until_a_code_is_right(make_codes, age) -> None:
    codes = make_codes()
    waits = []
    for _ in range(4):
        waits.append(reserve(codes).resend_after_seconds)
        age(60)
    assert waits == [60, 120, 300, 300]


def test_a_right_code_makes_the_resend_interval_short_again(make_codes, age) -> None:
    codes = make_codes()
    reserve(codes)
    age(60)
    enter(codes, reserve(codes))
    age(60)
    assert reserve(codes).resend_after_seconds == 60


def test_a_send_of_yesterday_does_not_lengthen_the_interval(make_codes, age) -> None:
    codes = make_codes()
    reserve(codes)
    age(DAY)
    assert reserve(codes).resend_after_seconds == 60


def test_an_aborted_send_does_not_lengthen_the_interval(make_codes) -> None:
    codes = make_codes()
    codes.abort(reserve(codes))
    assert reserve(codes).resend_after_seconds == 60


def test_the_interval_grows_for_each_purpose_by_itself(make_codes) -> None:
    codes = make_codes()
    assert reserve(codes).resend_after_seconds == 60
    assert reserve(codes, purpose=Purpose.REGISTER).resend_after_seconds == 60


def test_the_promised_wait_is_the_true_one(make_codes) -> None:
    codes = make_codes(sends_per_mobile_per_hour=1)
    promised = reserve(codes).resend_after_seconds
    assert promised == HOUR
    assert promised - 1 <= (refusal(codes).retry_after_seconds or 0) <= promised


@pytest.mark.parametrize(
    ("limit", "wait"), [({"sends_per_block_per_hour": 2}, HOUR), ({"sends_per_block_per_day": 2}, DAY)]
)
def test_T17_a_block_of_numbers_has_a_limit(make_codes, limit: dict[str, int], wait: int) -> None:
    codes = make_codes(**limit)
    reserve(codes, "+8613800138000", ip="192.0.2.1")
    reserve(codes, "+8613800138001", ip="192.0.2.2")
    refused = refusal(codes, "+8613800139999", ip="192.0.2.3")
    assert refused.limit == ("block_hour" if wait == HOUR else "block_day")
    assert wait - 2 <= (refused.retry_after_seconds or 0) <= wait
    assert reserve(codes, "+8613800148000", ip="192.0.2.3")


def test_an_address_whose_codes_are_used_may_have_more_open_ones(make_codes) -> None:
    codes = make_codes(sends_per_ip_per_hour=4, open_codes_per_used_code=2)
    for mobile in numbers(3, blocks=40):
        enter(codes, reserve(codes, mobile), mobile)
    for mobile in numbers(13, blocks=43)[3:]:  # 4, and 2 for each of 3.
        reserve(codes, mobile)
    refused = refusal(codes, "+8613900139000")
    assert (refused.limit, refused.retry_after_seconds) == ("ip_hour", 30)


def test_an_address_that_verified_many_may_leave_more_unused(make_codes, age) -> None:
    codes = make_codes(**{**MANY, "sends_per_ip_per_hour": 4, "sends_per_ip_per_day": 4, "sends_per_minute": 10_000,
                          "open_codes_at_most": 1})  # fmt: skip
    mobiles = numbers(200)
    for mobile in mobiles[:120]:  # 20 percent are 24 a day, and a sixth of them, 4, an hour.
        enter(codes, reserve(codes, mobile), mobile)
    for mobile in mobiles[120:144]:
        reserve(codes, mobile)
    age(600)
    refused = refusal(codes, mobiles[145])
    assert refused.limit == "ip_day"
    assert DAY - 610 <= (refused.retry_after_seconds or 0) <= DAY - 600


def test_an_address_is_held_to_its_unused_codes_of_a_day(make_codes, age) -> None:
    codes = make_codes(sends_per_ip_per_day=3)
    for mobile in numbers(3):
        reserve(codes, mobile)
    age(2 * HOUR)
    refused = refusal(codes, "+8613900139000")
    assert refused.limit == "ip_day"
    assert 22 * HOUR - 2 <= (refused.retry_after_seconds or 0) <= 22 * HOUR


def test_an_address_may_text_few_countries_without_success(make_codes) -> None:
    codes = make_codes(countries=["CN", "US", "GB", "HK"], countries_per_ip_per_day=2)
    reserve(codes, "+12025550123")
    first_british = reserve(codes, "+447400123456")
    refused = refusal(codes, "+85251234567")
    assert refused.limit == "ip_countries"
    assert DAY - 2 <= (refused.retry_after_seconds or 0) <= DAY
    assert reserve(codes, "+85251234567", ip="192.0.2.2")
    assert reserve(codes, "+12025550124")
    enter(codes, first_british, "+447400123456")
    assert reserve(codes, "+85251234568")


def test_a_foreign_country_may_have_few_unused_codes_an_hour(make_codes, count_before) -> None:
    codes = make_codes(countries=["CN", "US"])
    count_before("sms:country:US:hour:", HOUR, sent=5, verified=2)
    refused = refusal(codes, "+12025550123")
    assert (refused.limit, refused.status, refused.code) == ("country_hour", 503, "sms_unavailable")
    assert 1 <= (refused.retry_after_seconds or 0) <= HOUR
    assert reserve(codes)


def test_a_foreign_country_may_have_few_unused_codes_a_day(make_codes, count_before) -> None:
    codes = make_codes(countries=["CN", "US"])
    count_before("sms:country:US:hour:", HOUR, back=5, sent=15, verified=5)
    count_before("sms:country:US:hour:", HOUR, back=7, sent=10, verified=0)
    refused = refusal(codes, "+12025550123")
    assert refused.limit == "country_day"
    assert 16 * HOUR - 10 <= (refused.retry_after_seconds or 0) <= 17 * HOUR


def test_the_share_of_a_countrys_right_codes_is_rounded_down(make_codes, count_before) -> None:
    codes = make_codes(countries=["CN", "US"], unverified_per_country_per_day=1)
    count_before("sms:country:US:hour:", HOUR, back=5, sent=8, verified=7)
    assert refusal(codes, "+12025550123").limit == "country_day"


def test_a_good_day_of_a_country_raises_its_budget_for_a_fortnight(make_codes, count_before) -> None:
    codes = make_codes(countries=["CN", "US"])
    count_before("sms:country:US:hour:", HOUR, back=5, sent=25, verified=0)
    assert refusal(codes, "+12025550123").limit == "country_day"
    count_before("sms:country:US:day:", DAY, back=12, sent=200, verified=150)
    assert reserve(codes, "+12025550123")


def test_right_codes_give_a_country_room(make_codes) -> None:
    codes = make_codes(countries=["CN", "US"], unverified_per_country_per_hour=1, unverified_per_country_per_day=1)
    enter(codes, reserve(codes, "+12025550123"), "+12025550123")
    reserve(codes, "+12025550124")
    assert refusal(codes, "+12025550125").limit in ("country_day", "country_hour")


def test_home_has_no_budget_that_strangers_could_close(make_codes, count_before) -> None:
    codes = make_codes()
    count_before("sms:country:CN:hour:", HOUR, sent=900, verified=0)
    assert reserve(codes)


@pytest.mark.parametrize(("name", "window", "setting"), [("minute", 60, 240), ("day", DAY, 1000)])
def test_T17_all_texts_together_have_a_budget(make_codes, count_before, name: str, window: int, setting: int) -> None:
    codes = make_codes()
    count_before(f"sms:budget:{name}:", window, sent=setting)
    refused = refusal(codes)
    assert (refused.limit, refused.status, refused.code) == (f"sends_{name}", 503, "sms_unavailable")
    assert 1 <= (refused.retry_after_seconds or 0) <= window


def test_the_longest_wait_is_told(make_codes) -> None:
    codes = make_codes(sends_per_ip_per_hour=1, sends_per_mobile_per_day=1)
    reserve(codes)
    assert refusal(codes).limit == "mobile_day"


@pytest.mark.parametrize(
    "limits",
    [
        {"sends_per_mobile_per_day": 1},
        {"sends_per_ip_per_day": 1},
        {"sends_per_block_per_day": 1},
        {"sends_per_day": 1},
        {"countries": ["US", "CN"], "unverified_per_country_per_day": 1, "unverified_per_country_per_hour": 1},
        {"countries": ["CN", "US"], "countries_per_ip_per_day": 1},
    ],
)
def test_a_refused_request_changes_nothing(make_codes, redis: Redis, limits: dict[str, Any]) -> None:
    codes = make_codes(**limits)
    reserve(codes)
    before, jobs = snapshot(redis), len(redis.keys("sms:job:*"))
    refusal(codes, "+12025550123" if "countries_per_ip_per_day" in limits else HOME)
    assert (snapshot(redis), len(redis.keys("sms:job:*"))) == (before, jobs)


def test_an_abort_gives_everything_back_exactly(make_codes, redis: Redis) -> None:
    codes = make_codes(countries=["US", "CN"])
    codes.commit(reserve(codes, "+8613800148001", ip="198.51.100.1", purpose=Purpose.REGISTER))
    before = snapshot(redis)
    codes.abort(reserve(codes))
    assert snapshot(redis) == before


@pytest.mark.parametrize(
    ("limits", "mobiles", "allowed"),
    [
        ({"resend_intervals_seconds": [60]}, [HOME] * 50, 1),
        ({**MANY, "sends_per_block_per_hour": 7}, numbers(50), 7),
        ({**MANY, "sends_per_ip_per_day": 9}, numbers(50), 9),
        ({**MANY, "sends_per_day": 11, "reserved_percent": 0}, numbers(50), 11),
    ],
    ids=["mobile", "block", "address", "budget"],
)
def test_T17_50_threads_get_no_more_than_the_limit(make_codes, redis: Redis, limits, mobiles, allowed: int) -> None:
    codes = make_codes(**limits)

    def is_reserved(mobile: str) -> bool:
        try:
            return bool(reserve(codes, mobile))
        except (LimitReached, BudgetSpent):
            return False

    with ThreadPoolExecutor(50) as pool:
        assert list(pool.map(is_reserved, mobiles)).count(True) == allowed
    assert len(redis.keys("sms:job:*")) == allowed


def test_each_step_of_the_days_budget_warns_once(make_codes) -> None:
    codes = make_codes(**MANY, sends_per_day=10, reserved_percent=0)
    reservations = [reserve(codes, mobile) for mobile in numbers(8)]
    codes.abort(reservations.pop())
    reservations += [reserve(codes, mobile) for mobile in numbers(11)[8:]]
    warned = [reservation.use.warns_at for reservation in reservations if reservation.use]
    assert [percent for percent in warned if percent] == [50, 100]
    assert reservations[-1].use is not None
    assert reservations[-1].use.day_share == 1


def test_the_unused_share_of_a_country_is_told(make_codes) -> None:
    codes = make_codes()
    first = reserve(codes)
    assert first.use is not None
    assert first.use.unverified_share == 1
    enter(codes, first)
    second = reserve(codes, "+8613900139000")
    assert second.use is not None
    assert second.use.unverified_share == 0.5


def test_every_counter_and_log_expires(make_codes, redis: Redis) -> None:
    codes = make_codes(countries=["CN", "US"])
    enter(codes, reserve(codes))
    codes.abort(reserve(codes, "+12025550123"))
    codes.commit(reserve(codes, "+12025550124"))
    codes.check(Mobile("+12025550124"), Purpose.LOGIN, code="000000", subject="")
    assert [key for key in redis.keys("sms:*") if redis.pttl(key) <= 0] == []


def test_every_counter_lasts_as_long_as_it_is_read(make_codes, redis: Redis, expiry_ms) -> None:
    reserve(make_codes())
    windows = {
        "budget:minute": (60, 1),
        "budget:day": (DAY, 1),
        "country:CN:hour": (HOUR, 24),
        "country:CN:day": (DAY, 14),
    }
    ends = {}
    for name, (seconds, count) in windows.items():
        [key] = redis.keys(f"sms:{name}:*")
        ends[name] = expiry_ms(key) >= (int(key.rpartition(":")[2]) + count) * seconds * 1000
    assert ends == dict.fromkeys(windows, True)


def test_a_block_is_named_by_a_keyed_digest(keys: CodeKeys, make_codes, redis: Redis) -> None:
    reserve(make_codes())
    assert not [key for key in redis.keys("*") if "138001" in key]
    assert keys.block_hash(Mobile("+8613800138000")) == keys.block_hash(Mobile("+8613800139999"))
    assert keys.block_hash(Mobile("+8613800138000")) != keys.block_hash(Mobile("+8613800148000"))
    assert keys.block_hash(Mobile("+8613800138000")) != CodeKeys("k" * 32).block_hash(Mobile("+8613800138000"))


def test_windows_go_by_the_clock_of_redis(make_codes, redis: Redis) -> None:
    reserve(make_codes())
    [key] = redis.keys("sms:budget:minute:*")
    assert 0 <= time.time() // 60 - int(key.rpartition(":")[2]) <= 1
