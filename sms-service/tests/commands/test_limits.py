"""The commands that stop all texts and that end the lockout of a mobile."""

import re

import pytest
from flask_openapi3 import OpenAPI
from redis import Redis

from chassis.mobiles import Mobile
from sms_service.app import create_app
from sms_service.codes.kill_switch import KillSwitch
from sms_service.codes.purposes import Purpose
from sms_service.worker.heartbeat import Heartbeat

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


def test_the_commands_turn_the_switch(run, switch: KillSwitch) -> None:
    assert run("kill-switch", "show")[1].splitlines()[0] == "The kill switch is off."
    code, output = run("kill-switch", "on", "--reason", "pumping")
    assert (code, output.splitlines()[0]) == (0, "The kill switch is on: no code is texted.")
    code, output = run("kill-switch", "show")
    assert code == 0
    assert output.startswith("The kill switch is on since 20")
    assert output.splitlines()[0].endswith(": pumping")
    assert run("kill-switch", "off") == (0, "The kill switch is off.\n")
    assert switch.state() is None


def test_a_switch_that_is_not_on_disk_is_said(run, redis: Redis) -> None:
    redis.config_set("appendonly", "no")
    _, output = run("kill-switch", "on")
    assert output.splitlines()[1:] == ["Redis does not say that it is on disk: look again after a restart of Redis."]


def test_the_commands_say_what_redis_has_lost(run, living_worker: Heartbeat, redis: Redis) -> None:
    since = redis.hget("sms:data", "since")
    assert re.fullmatch(r"Redis holds data since 20[-0-9]+T[:0-9]+Z\.", run("kill-switch", "show")[1].splitlines()[1])
    assert "LOST" not in run("status")[1]
    redis.flushall()
    assert "since no worker was ever alive" in run("status")[1]
    redis.hset("sms:data", "since", int(since or 0) + 1)
    living_worker.beat(is_idle=False)
    for words in (("kill-switch", "show"), ("status",)):
        assert ", when it had LOST ALL that was set before" in run(*words)[1]


def test_a_command_resets_wrong_tries(run, make_codes, redis: Redis) -> None:
    codes = make_codes()
    codes.commit(codes.reserve(MOBILE, Purpose.LOGIN, subject="", ip="192.0.2.1"))
    codes.check(MOBILE, Purpose.LOGIN, code="x", subject="")
    assert run("guesses", "reset", "138 0013 8000") == (0, "+86138****8000: wrong tries are forgotten.\n")
    assert redis.keys("sms:guesses:*") == []
    copied = "\u2068138\u00a00013\u20118000\u2069"
    assert run("guesses", "reset", copied) == (0, "+86138****8000: there were no wrong tries.\n")


def test_commands_fail_with_a_sentence(run, make_settings) -> None:
    assert run("guesses", "reset", "12") == (1, "Error: This is not a mobile number we can text.\n")
    app = create_app(make_settings(redis_url="redis://127.0.0.1:9"))
    result = app.test_cli_runner().invoke(args=["sms", "kill-switch", "show"])
    assert (result.exit_code, result.output) == (1, "Error: Redis is away.\n")


def test_an_alarm_is_shown_and_ended(run, redis: Redis) -> None:
    assert run("pumping", "show") == (0, "There is no alarm.\n")
    redis.set("sms:alarm:CN", 1764250000000)
    assert run("pumping", "show") == (0, "CN: an alarm since 2025-11-27T13:26:40Z\n")
    assert run("pumping", "end", "CN") == (0, "CN: the alarm is over.\n")
    assert run("pumping", "end", "CN") == (0, "CN: there was no alarm.\n")
