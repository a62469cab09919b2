"""Time that has passed for the codes."""

from collections.abc import Callable

import pytest
from redis import Redis


@pytest.fixture
def age(redis: Redis) -> Callable[[float], None]:
    """Let the sends of every log be older by some seconds, and the cooldowns be over."""

    def shift(seconds: float) -> None:
        for key in redis.keys("sms:*"):
            if redis.type(key) == "zset":
                for send, at in redis.zrange(key, 0, -1, withscores=True):
                    redis.zadd(key, {send: at - seconds * 1000})
        for key in redis.keys("sms:cool:*"):
            redis.delete(key)

    return shift
