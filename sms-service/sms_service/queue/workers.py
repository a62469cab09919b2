"""The workers as the API sees them: how many are alive, and how long the oldest request has waited for one of them."""

from dataclasses import dataclass
from typing import Any  # redis-py types the answers of every protocol version; ours are lists.

from redis import Redis
from redis.client import Pipeline

from chassis.redis_client import redis_errors
from sms_service.codes.keys import WAITING_KEY, WORKERS_KEY


@dataclass(frozen=True)
class WorkersState:
    """``alive`` counts the workers that were heard of lately (`sms_service.worker.heartbeat`).

    ``oldest_seconds`` is the age of the oldest request that no worker has claimed, 0 if none waits. Requests whose code
    has expired count until a living worker removes them.
    """

    alive: int
    oldest_seconds: float


def load_workers(redis: Redis) -> WorkersState:
    """Read the state of the workers.

    Raises:
        DependencyUnavailable: Redis is away.
    """
    with redis_errors(), redis.pipeline(transaction=False) as pipeline:
        pipeline.time()
        request_workers(pipeline)
        (seconds, microseconds), alive, oldest = pipeline.execute()
    return parse_workers(alive, oldest, now_ms=seconds * 1000 + microseconds / 1000)


def request_workers(pipeline: Pipeline) -> None:
    """Add two commands to a pipeline; their replies are what `parse_workers` takes."""
    pipeline.zcard(WORKERS_KEY)
    pipeline.zrange(WAITING_KEY, 0, 0, withscores=True)


def parse_workers(alive: int, oldest: Any, *, now_ms: float) -> WorkersState:
    """Read the replies; ``now_ms`` is the time of Redis."""
    return WorkersState(alive, max(0.0, (now_ms - oldest[0][1]) / 1000) if oldest else 0.0)
