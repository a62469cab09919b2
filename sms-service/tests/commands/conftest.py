"""Fixtures of the commands: run one, and have dead jobs."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from redis import Redis

from sms_service.app import create_app
from sms_service.queue.job import SendJob
from sms_service.queue.redis_stream import DEAD


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
