"""The commands for dead jobs, on a real Redis."""

import pytest
from redis import Redis

from sms_service.queue.redis_stream import DEAD, STREAM


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
