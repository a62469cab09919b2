"""Trust: what used codes earn and unused ones lose, what an alarm refuses, what is given back, what is reserved."""

from collections.abc import Callable

import pytest
from redis import Redis

from chassis.mobiles import Mobile
from sms_service.codes.keys import network_of
from sms_service.codes.purposes import Purpose
from sms_service.codes.reservation import BudgetSpent, LimitReached, Reservation
from sms_service.codes.sms_codes import SmsCodes
from sms_service.queue.job import SendJob
from sms_service.worker.job_states import Finish, FinishState

CODE, ALARM = "042619", "sms:alarm:CN"
VICTIM, SAME_BLOCK, OTHER_BLOCK = "+8613800138000", "+8613800138001", "+8613900149000"


def reserve(codes: SmsCodes, mobile: str = VICTIM, ip: str = "192.0.2.1") -> Reservation:
    reservation = codes.reserve(Mobile(mobile), Purpose.LOGIN, subject="", ip=ip)
    codes.commit(reservation)
    return reservation


def enter(codes: SmsCodes, mobile: str) -> None:
    assert codes.check(Mobile(mobile), Purpose.LOGIN, code=CODE, subject="").is_right


def reason(codes: SmsCodes, mobile: str, ip: str) -> str:
    """The limit that refuses, or nothing."""
    try:
        reserve(codes, mobile, ip)
    except (LimitReached, BudgetSpent) as refused:
        return refused.limit
    return ""


@pytest.fixture
def codes(make_codes: Callable[..., SmsCodes]) -> SmsCodes:
    return make_codes()


@pytest.fixture
def alarm(redis: Redis, now_ms: Callable[[], int]) -> Callable[..., None]:
    """Let there be an alarm that began some seconds ago."""

    def begin(seconds_ago: int = 60) -> None:
        redis.set(ALARM, now_ms() - seconds_ago * 1000, px=300_000)

    return begin


def test_without_an_alarm_nobody_needs_trust(codes: SmsCodes) -> None:
    reserve(codes)
    assert reason(codes, SAME_BLOCK, "192.0.2.1") == ""


def test_in_an_alarm_a_block_without_trust_has_one_open_code(codes: SmsCodes, alarm) -> None:
    alarm()
    reserve(codes)
    assert reason(codes, SAME_BLOCK, "203.0.113.1") == "pumping_block"


@pytest.mark.parametrize("neighbour", ["192.0.2.1", "192.0.2.200"])
def test_in_an_alarm_a_network_without_trust_has_one_open_code(codes: SmsCodes, alarm, neighbour: str) -> None:
    alarm()
    reserve(codes)
    assert reason(codes, OTHER_BLOCK, neighbour) == "pumping_network"


def test_in_an_alarm_fresh_numbers_from_fresh_networks_go_on(codes: SmsCodes, alarm) -> None:
    alarm()
    reserve(codes)
    assert reason(codes, OTHER_BLOCK, "203.0.113.1") == ""


def test_a_used_code_earns_an_address_room_for_more(codes: SmsCodes, alarm) -> None:
    reserve(codes)
    enter(codes, VICTIM)
    alarm()
    reasons = [reason(codes, f"+8613900{i:02}9000", "192.0.2.1") for i in range(12)]
    assert reasons == [""] * 11 + ["pumping_network"]


def test_a_used_code_earns_a_block_room_for_more(codes: SmsCodes, alarm) -> None:
    reserve(codes)
    enter(codes, VICTIM)
    alarm()
    reasons = [reason(codes, f"+861380013{8001 + i}", f"203.0.{i}.1") for i in range(12)]
    assert reasons == [""] * 11 + ["pumping_block"]


def test_an_open_code_costs_no_trust_and_a_lost_one_does(codes: SmsCodes, alarm, age) -> None:
    reserve(codes)
    enter(codes, VICTIM)
    reserve(codes, OTHER_BLOCK)
    alarm()
    assert reason(codes, "+8613900159000", "192.0.2.1") == ""
    age(301)
    assert reason(codes, "+8613900169000", "192.0.2.1") == "pumping_network"


def test_used_codes_of_yesterday_earn_nothing(codes: SmsCodes, alarm, age) -> None:
    reserve(codes)
    enter(codes, VICTIM)
    age(86_401)
    alarm()
    assert reason(codes, OTHER_BLOCK, "192.0.2.1") == ""
    assert reason(codes, "+8613900159000", "192.0.2.1") == "pumping_network"


def test_a_person_may_ask_once_more_for_the_own_mobile_in_an_alarm(codes: SmsCodes, alarm, age) -> None:
    alarm()
    reserve(codes)
    age(61)
    assert reason(codes, VICTIM, "192.0.2.1") == ""
    age(121)
    assert reason(codes, VICTIM, "192.0.2.1") == "pumping_block"


def test_an_alarm_begins_with_many_unused_codes(codes: SmsCodes, redis: Redis) -> None:
    for i in range(49):  # 20 % of 240 may be unused.
        assert not redis.exists(ALARM)
        reserve(codes, f"+8613{i:03}009000", f"203.0.{i}.1")
    assert reason(codes, VICTIM, "192.0.2.1") == "pumping_hold"
    assert 290_000 < redis.pttl(ALARM) <= 300_000


def test_used_codes_put_an_alarm_off(codes: SmsCodes, redis: Redis) -> None:
    for i in range(60):
        reserve(codes, f"+8613{i:03}009000", f"203.0.{i}.1")
        if i % 3 == 0:
            enter(codes, f"+8613{i:03}009000")
    reserve(codes)
    assert not redis.exists(ALARM)


def test_networks_that_ask_for_numbers_of_one_block_begin_an_alarm_sooner(codes: SmsCodes) -> None:
    reasons = [reason(codes, f"+861380013{8000 + i}", f"203.0.{i}.1") for i in range(8)]
    assert reasons == [""] * 7 + ["pumping_block"]


def test_one_busy_network_is_no_alarm(codes: SmsCodes, redis: Redis) -> None:
    for i in range(10):
        reserve(codes, f"+8613{i:03}009000")
    reserve(codes, OTHER_BLOCK, "203.0.113.1")
    assert not redis.exists(ALARM)


def test_when_an_alarm_begins_newcomers_wait_and_then_go_on(codes: SmsCodes, alarm) -> None:
    alarm(seconds_ago=2)
    with pytest.raises(LimitReached) as refused:
        reserve(codes)
    assert (refused.value.limit, refused.value.retry_after_seconds) == ("pumping_hold", 5)
    alarm(seconds_ago=8)
    assert reason(codes, VICTIM, "192.0.2.1") == ""


def test_trusted_networks_do_not_wait_when_an_alarm_begins(codes: SmsCodes, alarm) -> None:
    reserve(codes)
    enter(codes, VICTIM)
    alarm(seconds_ago=1)
    assert reason(codes, OTHER_BLOCK, "192.0.2.1") == ""


def test_what_a_refused_request_asked_for_is_no_longer_fresh(codes: SmsCodes, alarm) -> None:
    alarm()
    reserve(codes)
    assert reason(codes, SAME_BLOCK, "203.0.113.1") == "pumping_block"
    assert reason(codes, OTHER_BLOCK, "203.0.113.1") == "pumping_network"
    assert reason(codes, OTHER_BLOCK, "198.51.100.1") == "pumping_block"


def test_a_network_that_asks_for_fresh_blocks_alone_gets_room_again(codes: SmsCodes, alarm) -> None:
    alarm()
    reserve(codes)
    reasons = [reason(codes, f"+8613900{i:02}9000", "192.0.2.1") for i in range(7)]
    assert reasons == ["pumping_network"] * 5 + ["", "pumping_network"]


def test_the_budget_keeps_a_reserve_for_the_fresh_and_the_trusted(make_codes) -> None:
    codes = make_codes(sends_per_day=6)
    reserve(codes)
    assert [reason(codes, SAME_BLOCK[:-1] + str(i), "192.0.2.1") for i in range(1, 4)] == ["", "", "sends_day"]
    assert [reason(codes, f"+8613900{i:02}9000", f"203.0.{i}.1") for i in range(4)] == ["", "", "", "sends_day"]


@pytest.mark.parametrize("state", [FinishState.FAILED, FinishState.UNCERTAIN])
def test_a_text_that_was_not_surely_sent_is_given_back(codes: SmsCodes, make_job_states, alarm, state) -> None:
    reservation, states = reserve(codes), make_job_states()
    job = SendJob(reservation.job_id, reservation.mobile_hash, 0, reservation.expires_at, "request-1")
    states.claim(job)
    states.finish(job, Finish(state, "refused", "inbox"))
    alarm()
    assert reason(codes, SAME_BLOCK, "192.0.2.1") == ""


def test_a_job_that_expired_in_the_queue_is_given_back(codes: SmsCodes, make_job_states, alarm) -> None:
    reservation = reserve(codes)
    job = SendJob(reservation.job_id, reservation.mobile_hash, 0, reservation.expires_at, "request-1")
    make_job_states(useful_lifetime_seconds=1000).claim(job)
    alarm()
    assert reason(codes, SAME_BLOCK, "192.0.2.1") == ""


def test_an_aborted_text_is_given_back(codes: SmsCodes, alarm) -> None:
    codes.abort(codes.reserve(Mobile(VICTIM), Purpose.LOGIN, subject="", ip="192.0.2.1"))
    alarm()
    assert reason(codes, SAME_BLOCK, "192.0.2.1") == ""


def test_a_code_that_was_used_stays_used_when_its_text_ends_uncertain(codes: SmsCodes, make_job_states, alarm) -> None:
    reservation, states = reserve(codes), make_job_states()
    job = SendJob(reservation.job_id, reservation.mobile_hash, 0, reservation.expires_at, "request-1")
    states.claim(job)
    enter(codes, VICTIM)
    states.finish(job, Finish(FinishState.UNCERTAIN, "uncertain", "inbox"))
    alarm()
    assert [reason(codes, f"+8613900{i:02}9000", "192.0.2.1") for i in range(2)] == ["", ""]


def test_every_key_of_an_alarm_expires(codes: SmsCodes, redis: Redis, alarm) -> None:
    alarm()
    reserve(codes)
    reason(codes, SAME_BLOCK, "203.0.113.1")
    assert [key for key in redis.keys("sms:*") if redis.pttl(key) <= 0] == []


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2ff::1", "2001:db8:1:200::/56"),
        ("no address", "unknown"),
    ],
)
def test_a_network_is_what_one_customer_often_has(address: str, network: str) -> None:
    assert network_of(address) == network
