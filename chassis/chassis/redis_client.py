"""A Redis client with time-outs and a bounded pool, and Redis errors turned into our own."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis import BlockingConnectionPool, Redis, RedisError

from chassis.errors import DependencyUnavailable


def connect_redis(url: str, *, max_connections: int = 32, timeout_seconds: float = 2.0) -> Redis:
    """Make a client for ``redis://…``, ``rediss://…`` or ``unix:///…/redis.sock``; answers are texts.

    Bytes that are no UTF-8 are read as U+FFFD: one bad value must not break an answer that holds others too.

    Nothing is connected before the first command, so it may be made before a fork. No command is sent twice.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=max_connections,
        timeout=timeout_seconds,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        decode_responses=True,
        encoding_errors="replace",
        health_check_interval=15,
        retry=None,
    )
    return Redis(connection_pool=pool)


@contextmanager
def redis_errors() -> Iterator[None]:
    """Turn Redis errors into ours; each module that calls Redis uses it.

    Raises:
        DependencyUnavailable: instead of any `redis.RedisError`.
    """
    try:
        yield
    except RedisError as error:
        raise DependencyUnavailable("Redis is away.") from error
