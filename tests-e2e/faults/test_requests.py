"""API processes that die between two steps, race each other, or have a wrong clock."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from chassis.mobiles import Mobile
from sms_service.codes.keys import cooldown_prefix
from stage.system import SmsSystem, new_mobiles

pytestmark = pytest.mark.outside
Judge = Callable[..., object]


def test_an_api_killed_between_publish_and_commit_leaves_a_text_with_a_valid_code(
    system: SmsSystem, judge: Judge
) -> None:
    system.worker()
    dying = system.api(app="stage.wired_api:dies_after_publish()")
    mobile = new_mobiles(1)[0]
    asked = system.ask(mobile, api=dying)
    assert asked.status is None
    system.api()
    system.settle([asked])
    [text] = system.vendor.texts()[mobile]
    assert system.consume(mobile, text.code)
    judge(system, [asked])


def test_an_api_killed_between_reservation_and_publish_leaves_no_text_and_no_valid_code(
    system: SmsSystem, judge: Judge
) -> None:
    system.worker()
    dying = system.api(app="stage.wired_api:dies_before_publish()", SMS_RESEND_INTERVALS_SECONDS="2")
    mobile = new_mobiles(1)[0]
    assert system.ask(mobile, api=dying).status is None
    [job] = system.jobs_of(mobile)
    assert job["state"] == "pending"
    [key] = system.redis.keys("sms:job:*")
    code = system.keys.open(job["code_sealed"], context=f"{key.rpartition(':')[2]} code")
    system.api(SMS_RESEND_INTERVALS_SECONDS="2")
    assert not system.consume(mobile, code)
    assert system.vendor.texts() == {}
    cooldown = cooldown_prefix(system.keys.mobile_hash(Mobile(f"+86{mobile}"))) + "login"
    while 0 <= (left_ms := system.redis.pttl(cooldown)) <= 2000:
        time.sleep(left_ms / 1000 + 0.001)
    assert left_ms == -2, "the cooldown outlives its interval"
    assert judge(system, [system.ask(mobile)]).texted == 1


def test_two_api_processes_give_one_mobile_one_code_per_interval(system: SmsSystem) -> None:
    system.api(processes=2)
    mobiles = new_mobiles(10)
    with ThreadPoolExecutor(16) as pool:
        asked = list(pool.map(system.ask, mobiles * 8))
    accepted = Counter(each.mobile for each in asked if each.status == 202)
    assert Counter(each.status for each in asked) == {202: 10, 429: 70}
    assert accepted == dict.fromkeys(mobiles, 1)
    system.worker()
    system.settle(asked)
    assert {mobile: len(texts) for mobile, texts in system.vendor.texts().items()} == dict.fromkeys(mobiles, 1)


def test_two_api_processes_keep_the_hourly_limit_exactly(system: SmsSystem) -> None:
    system.api(processes=2, SMS_SENDS_PER_IP_PER_HOUR="20")
    with ThreadPoolExecutor(16) as pool:
        asked = list(pool.map(system.ask, new_mobiles(100)))
    assert Counter(each.status for each in asked) == {202: 20, 429: 80}


def test_an_api_whose_clock_is_ten_minutes_ahead_issues_codes_of_the_usual_life(
    system: SmsSystem, judge: Judge
) -> None:
    system.worker()
    ahead = system.api(app="stage.shifted_clock:create_app()", STAGE_CLOCK_AHEAD_SECONDS="600")
    mobile = new_mobiles(1)[0]
    asked = system.ask(mobile, api=ahead, clock=lambda: time.time() + 600)
    assert asked.status == 202
    [job] = system.jobs_of(mobile)
    assert timedelta(seconds=295) < timedelta(milliseconds=int(job["exp"]) - time.time() * 1000) <= timedelta(minutes=5)
    system.api()
    assert judge(system, [asked]).texted == 1
