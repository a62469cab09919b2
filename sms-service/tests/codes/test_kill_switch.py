"""The kill switch, and the commands for it and for wrong tries."""

import re
from datetime import UTC, datetime

import pytest
from flask_openapi3 import OpenAPI
from redis import Redis

from chassis.errors import DependencyUnavailable
from chassis.mobiles import Mobile
from chassis.redis_client import connect_redis
from sms_service.app import create_app
from sms_service.codes.code_requests import watch_budgets
from sms_service.codes.kill_switch import KillSwitch
from sms_service.codes.purposes import Purpose
from sms_service.codes.reservation import BudgetSpent
from sms_service.metrics import BUDGET_USED, UNVERIFIED, VERIFIED

MOBILE = Mobile("+8613800138000")


@pytest.fixture
def switch(redis: Redis) -> KillSwitch:
    return KillSwitch(redis)


@pytest.fixture
def run(app: OpenAPI):
    def command(*words: str) -> tuple[int, str]:
        result = app.test_cli_runner().invoke(args=["sms", *words])
        return result.exit_code, result.output

    return command


def test_the_switch_remembers_why_and_since_when(switch: KillSwitch) -> None:
    assert (switch.is_on(), switch.state()) == (False, None)
    switch.on("pumping")
    killed = switch.state()
    assert killed is not None
    assert killed.reason == "pumping"
    assert abs((datetime.now(UTC) - killed.since).total_seconds()) < 60
    assert switch.is_on()
    switch.off()
    assert (switch.is_on(), switch.state()) == (False, None)


def test_while_it_is_on_nothing_is_charged_or_promised(switch: KillSwitch, ask, make_codes, redis: Redis) -> None:
    switch.on("")
    with pytest.raises(BudgetSpent) as refused:
        make_codes().reserve(MOBILE, Purpose.LOGIN, subject="", ip="192.0.2.1")
    assert refused.value.limit == "kill_switch"
    answer = ask()
    assert (answer.status_code, answer.json["code"], answer.json["errno"]) == (503, "sms_unavailable", "4301")
    assert int(answer.headers["Retry-After"]) == 300
    assert redis.keys("sms:*") == ["sms:kill_switch"]
    switch.off()
    assert ask().status_code == 202


def test_the_switch_does_not_turn_itself_off(switch: KillSwitch, redis: Redis) -> None:
    switch.on("")
    assert redis.ttl("sms:kill_switch") == -1


def test_without_redis_nobody_can_say(switch: KillSwitch) -> None:
    away = KillSwitch(connect_redis("redis://127.0.0.1:9"))
    for act in (away.is_on, away.state, away.off, lambda: away.on("")):
        with pytest.raises(DependencyUnavailable):
            act()


def test_the_commands_turn_the_switch(run, switch: KillSwitch) -> None:
    assert run("kill-switch", "show") == (0, "The kill switch is off.\n")
    assert run("kill-switch", "on", "--reason", "pumping") == (0, "The kill switch is on: no code is texted.\n")
    code, output = run("kill-switch", "show")
    assert code == 0
    assert output.startswith("The kill switch is on since 20")
    assert output.endswith(": pumping\n")
    assert run("kill-switch", "off") == (0, "The kill switch is off.\n")
    assert not switch.is_on()


def test_a_command_resets_wrong_tries(run, make_codes, redis: Redis) -> None:
    codes = make_codes()
    codes.commit(codes.reserve(MOBILE, Purpose.LOGIN, subject="", ip="192.0.2.1"))
    codes.check(MOBILE, Purpose.LOGIN, code="x", subject="")
    assert run("guesses", "reset", "138 0013 8000") == (0, "+86138****8000: wrong tries are forgotten.\n")
    assert redis.keys("sms:guesses:*") == []
    assert run("guesses", "reset", "138 0013 8000") == (0, "+86138****8000: there were no wrong tries.\n")


def test_commands_fail_with_a_sentence(run, make_settings) -> None:
    assert run("guesses", "reset", "12") == (1, "Error: This is not a mobile number we can text.\n")
    app = create_app(make_settings(redis_url="redis://127.0.0.1:9"))
    result = app.test_cli_runner().invoke(args=["sms", "kill-switch", "show"])
    assert (result.exit_code, result.output) == (1, "Error: Redis is away.\n")


def test_budgets_are_shown_and_warned_of(make_codes, log_lines) -> None:
    codes = make_codes(sends_per_day=2, sends_per_minute=4)
    watch_budgets(codes.reserve(MOBILE, Purpose.LOGIN, subject="", ip="192.0.2.1"))
    assert log_lines == [{"event": "sms_budget_used", "budget": "day", "percent": 50, "log_level": "warning"}]
    assert BUDGET_USED.labels("day")._value.get() == 0.5
    assert BUDGET_USED.labels("minute")._value.get() == 0.25
    assert UNVERIFIED.labels("CN")._value.get() == 1


def test_a_right_code_counts_for_its_provider_and_country(ask, consume, work, inbox) -> None:
    before = VERIFIED.labels("inbox", "CN")._value.get()
    ask()
    work()
    [code] = re.findall(r"[0-9]{6}", inbox.messages()[0].text)
    assert consume(code).json["verified"] is True
    assert VERIFIED.labels("inbox", "CN")._value.get() == before + 1
