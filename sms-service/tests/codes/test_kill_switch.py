"""The kill switch, on a real Redis."""

from datetime import UTC, datetime

import pytest
from redis import Redis

from chassis.errors import DependencyUnavailable
from chassis.mobiles import Mobile
from chassis.redis_client import connect_redis
from sms_service.codes.kill_switch import KillSwitch
from sms_service.codes.purposes import Purpose
from sms_service.codes.reservation import BudgetSpent

MOBILE = Mobile("+8613800138000")


@pytest.fixture
def switch(redis: Redis) -> KillSwitch:
    return KillSwitch(redis)


def test_the_switch_remembers_why_and_since_when(switch: KillSwitch) -> None:
    assert switch.state() is None
    switch.turn_on("pumping")
    state = switch.state()
    assert state is not None
    assert state.reason == "pumping"
    assert abs((datetime.now(UTC) - state.since).total_seconds()) < 60
    switch.turn_off()
    assert switch.state() is None


def test_while_it_is_on_nothing_is_charged_or_promised(switch: KillSwitch, ask, make_codes, keys_of_requests) -> None:
    switch.turn_on("")
    with pytest.raises(BudgetSpent) as refused:
        make_codes().reserve(MOBILE, Purpose.LOGIN, subject="", ip="192.0.2.1")
    assert refused.value.limit == "kill_switch"
    answer = ask()
    assert (answer.status_code, answer.json["code"], answer.json["errno"]) == (503, "sms_unavailable", "4301")
    assert int(answer.headers["Retry-After"]) == 300
    assert set(keys_of_requests()) == {"sms:kill_switch", "sms:kill_switch:changed"}
    switch.turn_off()
    assert ask().status_code == 202


def test_the_switch_does_not_turn_itself_off(switch: KillSwitch, redis: Redis) -> None:
    switch.turn_on("")
    assert redis.ttl("sms:kill_switch") == -1


def test_without_redis_nobody_can_say(switch: KillSwitch) -> None:
    away = KillSwitch(connect_redis("redis://127.0.0.1:9"))
    for act in (away.state, away.turn_off, lambda: away.turn_on("")):
        with pytest.raises(DependencyUnavailable):
            act()
