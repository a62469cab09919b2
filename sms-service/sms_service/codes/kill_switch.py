"""The kill switch: while it is on, no code is texted and every request for one is refused."""

from dataclasses import dataclass
from datetime import UTC, datetime

from redis import Redis, ResponseError

from chassis.redis_client import redis_errors
from sms_service.codes.keys import DATA_KEY, KILL_SWITCH_CHANGED_KEY, KILL_SWITCH_KEY

_DISK_MS = 1500  # Shorter than the client's time-out.


@dataclass(frozen=True)
class KillSwitchState:
    """Why texts are stopped, and since when."""

    reason: str
    since: datetime


@dataclass(frozen=True)
class DataAge:
    """Since when Redis has held data; ``was_lost`` if a worker saw that it lost all that it had before."""

    since: datetime
    was_lost: bool


@dataclass(frozen=True)
class KillSwitch:
    """One switch for all processes, in Redis; operators turn it.

    The scripts read it in the same step in which they act: ``reserve.lua`` and ``notice.lua`` before they accept a
    request, ``acquire.lua`` before a worker calls a provider. If Redis loses it, the next heartbeat of a worker that
    saw it on turns it on again, and until then no request is accepted (``heartbeat.lua``). All methods raise
    `DependencyUnavailable` when Redis is away.
    """

    redis: Redis

    def turn_on(self, reason: str) -> bool:
        """Stop all texts until `turn_off`. False: a restart of Redis may forget it, if no worker saw it before."""
        # One connection, because WAITAOF waits for what its own connection wrote.
        with redis_errors(), self.redis.client() as connection:  # type: ignore[no-untyped-call]
            seconds, microseconds = connection.time()
            with connection.pipeline(transaction=True) as transaction:
                transaction.hset(KILL_SWITCH_KEY, mapping={"reason": reason, "since": seconds})
                transaction.set(KILL_SWITCH_CHANGED_KEY, seconds * 1000 + microseconds // 1000)
                transaction.execute()
            try:
                on_disk, _ = connection.waitaof(1, 0, _DISK_MS)
            except ResponseError:  # Redis before 7.2, or one that keeps no log.
                return False
            return bool(on_disk)

    def turn_off(self) -> None:
        """Allow texts again."""
        with redis_errors():
            seconds, microseconds = self.redis.time()
            with self.redis.pipeline(transaction=True) as transaction:
                transaction.delete(KILL_SWITCH_KEY)
                transaction.set(KILL_SWITCH_CHANGED_KEY, seconds * 1000 + microseconds // 1000)
                transaction.execute()

    def state(self) -> KillSwitchState | None:
        """Return why texts are stopped; None while the switch is off."""
        with redis_errors():
            reason, since = self.redis.hmget(KILL_SWITCH_KEY, ["reason", "since"])
        return None if since is None else KillSwitchState(str(reason), datetime.fromtimestamp(int(since), UTC))

    def data_age(self) -> DataAge | None:
        """Return since when Redis has held data, as the first worker's heartbeat wrote it down; None before that."""
        with redis_errors():
            since, lost = self.redis.hmget(DATA_KEY, ["since", "lost"])
        return None if since is None else DataAge(datetime.fromtimestamp(int(since) / 1000, UTC), lost is not None)
