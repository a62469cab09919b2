"""The command ``sms status``, on a real Redis; the other commands have modules of their own."""

import re
import time
from typing import Any

import pytest
from redis import Redis

from chassis.mobiles import Mobile
from sms_service.codes.purposes import Purpose
from sms_service.queue.redis_stream import STREAM
from sms_service.worker.heartbeat import Heartbeat


def test_the_status_names_switch_budget_and_backlog(sms, make_codes, redis: Redis) -> None:
    make_codes().reserve(Mobile("+8613800138000"), Purpose.LOGIN, subject="", ip="192.0.2.1")
    redis.zadd("sms:waiting", {"an older one CN": (time.time() - 40) * 1000})
    sms("kill-switch", "on", "--reason", "a wave")
    lines = sms("status").output.splitlines()
    assert lines[0].split()[-4:] == ["switch", "ON:", "a", "wave"]
    assert lines[1].endswith("1 of 1000")
    assert 39 < float(lines[2].split()[-2]) < 60


def test_the_status_says_that_nobody_works(sms, living_worker: Heartbeat) -> None:
    assert re.search(r"^workers +alive +1$", sms("status").output, re.MULTILINE)
    living_worker.leave()
    assert "NONE: every request for a code is refused" in sms("status").output


def test_the_status_names_queues_and_providers(sms, redis: Redis) -> None:
    now: Any = redis.time()
    redis.hset("sms:provider:inbox", mapping={"down_since": now[0] * 1000, "open_until": now[0] * 1000 + 60_000})
    output = sms("status").output
    assert f"queue     {STREAM}" in output
    assert "inbox                down for" in output


@pytest.mark.parametrize("words", [("status",), ("dead", "list")])
def test_a_queue_that_is_away_is_said_in_one_line(sms, words: tuple[str, ...]) -> None:
    for away in ({"amqp_url": "amqp://127.0.0.1:9/%2f"}, {"redis_url": "redis://127.0.0.1:9/0"}):
        result = sms(*words, **away)
        assert result.exit_code == 1
        assert result.output.startswith("Error: ")
        assert len(result.output.splitlines()) == 1
