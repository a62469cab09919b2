"""The kill switch: while it is on, no code is texted and every request for one is refused."""

from dataclasses import dataclass
from datetime import UTC, datetime

from redis import Redis

from chassis.redis_client import redis_errors
from sms_service.codes.keys import KILL_SWITCH_KEY


@dataclass(frozen=True)
class KillSwitchState:
    """Why texts are stopped, and since when."""

    reason: str
    since: datetime


@dataclass(frozen=True)
class KillSwitch:
    """One switch for all processes, in Redis; operators turn it.

    The scripts read it in the same step in which they act: ``reserve.lua`` and ``notice.lua`` before they accept a
    request, ``acquire.lua`` before a worker calls a provider. All methods raise `DependencyUnavailable` when Redis is
    away.
    """

    redis: Redis

    def turn_on(self, reason: str) -> None:
        """Stop all texts until `turn_off`."""
        with redis_errors():
            seconds, _ = self.redis.time()
            self.redis.hset(KILL_SWITCH_KEY, mapping={"reason": reason, "since": seconds})

    def turn_off(self) -> None:
        """Allow texts again."""
        with redis_errors():
            self.redis.delete(KILL_SWITCH_KEY)

    def state(self) -> KillSwitchState | None:
        """Return why texts are stopped; None while the switch is off."""
        with redis_errors():
            reason, since = self.redis.hmget(KILL_SWITCH_KEY, ["reason", "since"])
        return None if since is None else KillSwitchState(str(reason), datetime.fromtimestamp(int(since), UTC))
