"""The commands of operators, on a real Redis."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from redis import Redis

from chassis.mobiles import Mobile
from sms_service.app import create_app
from sms_service.codes.purposes import Purpose
from sms_service.providers.inbox import Inbox
from sms_service.queue.job import SendJob
from sms_service.queue.redis_stream import DEAD, STREAM


@pytest.fixture
def sms(make_settings) -> Callable[..., Result]:
    """Run ``flask sms …``."""

    def run(*words: str, **changed: Any) -> Result:
        return create_app(make_settings(**changed)).test_cli_runner().invoke(args=["sms", *words])

    return run


@pytest.fixture
def dead_job(redis: Redis) -> Callable[..., SendJob]:
    """Put a job to the dead ones."""

    def put(*, left_seconds: int = 200, reason: str = "delivery_limit") -> SendJob:
        job = SendJob(f"{len(redis.keys())}".zfill(32), "a" * 32, 0, int(time.time()) + left_seconds, "request-1")
        redis.xadd(DEAD, {"body": job.to_body(), "reason": reason})
        return job

    return put


def test_dead_jobs_are_listed_with_their_reason(sms, dead_job) -> None:
    job = dead_job()
    lines = sms("dead", "list").output.splitlines()
    assert lines[0].split()[1:3] == ["delivery_limit", job.id]
    assert lines[-1] == "1 dead jobs."


def test_a_dead_job_is_shown_whole(sms, dead_job) -> None:
    job = dead_job()
    assert sms("dead", "show", job.id).output == job.to_body() + "\n"


def test_a_dead_job_is_replayed_while_its_code_lives(sms, dead_job, redis: Redis) -> None:
    job = dead_job()
    assert sms("dead", "replay", job.id).exit_code == 0
    assert (redis.xlen(DEAD), redis.xlen(STREAM)) == (0, 1)


def test_the_replay_of_an_expired_job_is_refused(sms, dead_job, redis: Redis) -> None:
    result = sms("dead", "replay", dead_job(left_seconds=-1).id)
    assert (result.exit_code, "expired" in result.output) == (1, True)
    assert (redis.xlen(DEAD), redis.xlen(STREAM)) == (1, 0)


def test_what_is_no_job_can_be_dropped_and_not_replayed(sms, redis: Redis) -> None:
    redis.xadd(DEAD, {"body": "poison", "reason": "malformed"})
    dead_id = sms("dead", "list").output.split()[2]
    assert sms("dead", "replay", dead_id).exit_code == 1
    assert sms("dead", "drop", dead_id).exit_code == 0
    assert redis.xlen(DEAD) == 0


@pytest.mark.parametrize("act", ["show", "replay", "drop"])
def test_an_unknown_dead_job_is_said(sms, act: str) -> None:
    result = sms("dead", act, "nothing")
    assert (result.exit_code, result.output) == (1, "Error: There is no dead job nothing.\n")


def test_the_status_names_switch_budget_and_backlog(sms, make_codes, redis: Redis) -> None:
    make_codes().reserve(Mobile("+8613800138000"), Purpose.LOGIN, subject="", ip="192.0.2.1")
    redis.zadd("sms:waiting", {"an older one CN": (time.time() - 40) * 1000})
    sms("kill-switch", "on", "--reason", "a wave")
    lines = sms("status").output.splitlines()
    assert lines[0].split()[-4:] == ["switch", "ON:", "a", "wave"]
    assert lines[1].endswith("1 of 1000")
    assert 39 < float(lines[2].split()[-2]) < 60


def test_the_status_names_queues_and_providers(sms, redis: Redis) -> None:
    now: Any = redis.time()
    redis.hset("sms:provider:inbox", mapping={"down_since": now[0] * 1000, "open_until": now[0] * 1000 + 60_000})
    output = sms("status").output
    assert f"queue     {STREAM}" in output
    assert "inbox                down for" in output


def test_a_test_text_goes_to_the_provider_at_once(sms, inbox: Inbox) -> None:
    result = sms("send-test", "13800138000")
    assert result.exit_code == 0
    assert result.output.startswith("inbox to +86138****8000: accepted")
    assert [message.mobile for message in inbox.messages()] == ["+8613800138000"]


def test_a_test_text_that_is_refused_fails(sms) -> None:
    result = sms(
        "send-test", "13800138000", routes="yuntongxun", yuntongxun_account_sid="sid", yuntongxun_auth_token="token",
        yuntongxun_app_id="app", yuntongxun_url="http://127.0.0.1:9",
    )  # fmt: skip
    assert (result.exit_code, "not_sent" in result.output) == (1, True)


def test_a_test_text_needs_a_mobile(sms) -> None:
    assert sms("send-test", "10086").exit_code == 1


@pytest.mark.parametrize("words", [("status",), ("dead", "list")])
def test_a_queue_that_is_away_is_said_in_one_line(sms, words: tuple[str, ...]) -> None:
    for away in ({"amqp_url": "amqp://127.0.0.1:9/%2f"}, {"redis_url": "redis://127.0.0.1:9/0"}):
        result = sms(*words, **away)
        assert result.exit_code == 1
        assert result.output.startswith("Error: ")
        assert len(result.output.splitlines()) == 1
