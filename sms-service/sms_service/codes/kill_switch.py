"""The kill switch: while it is on, no code is texted and none is promised."""

from dataclasses import dataclass
from datetime import UTC, datetime

from redis import Redis

from chassis.redis_client import redis_errors
from sms_service.codes.keys import KILL_SWITCH_KEY


@dataclass(frozen=True)
class Killed:
    """Why texts are stopped, and since when."""

    reason: str
    since: datetime


class KillSwitch:
    """One switch for all processes, in Redis. RESERVE reads it in its own step; workers ask `is_on`.

    All methods raise `DependencyUnavailable` when Redis is away.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def on(self, reason: str) -> None:
        """Stop all texts until `off`."""
        with redis_errors():
            seconds, _ = self._redis.time()
            self._redis.hset(KILL_SWITCH_KEY, mapping={"reason": reason, "since": seconds})

    def off(self) -> None:
        """Let texts go again."""
        with redis_errors():
            self._redis.delete(KILL_SWITCH_KEY)

    def is_on(self) -> bool:
        """Say whether texts are stopped."""
        with redis_errors():
            return bool(self._redis.exists(KILL_SWITCH_KEY))

    def state(self) -> Killed | None:
        """Tell why texts are stopped; None if they are not."""
        with redis_errors():
            reason, since = self._redis.hmget(KILL_SWITCH_KEY, ["reason", "since"])
        return None if since is None else Killed(str(reason), datetime.fromtimestamp(int(since), UTC))
