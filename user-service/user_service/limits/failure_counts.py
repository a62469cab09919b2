"""How often in a row the password of a mobile was wrong: what slows guessing down, and ends it at a hundred."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from redis import Redis

from chassis.errors import TooManyRequests
from chassis.redis_client import redis_errors
from user_service.limits.rate_limits import CHARGE, REFUND, Bucket, charge_numbers, refuse

# A streak is forgotten after as many days without a failure as it has failures, at most 30: who tries one password for
# each of a million mobiles fills Redis for a day only, and nobody gets more than about one free guess a day.
_ADD = """
local function add(key)
  local failures = redis.call('INCR', key)
  redis.call('EXPIRE', key, math.min(failures, 30) * 86400)
  return failures
end
"""
# The last key is the streak, the last number how long it may be to be counted on at once. Answers as `CHARGE`, then
# the failures before, then 1 if the attempt was counted.
_CHARGE_AND_ADD = f"""{CHARGE}{_ADD}
local streak = KEYS[#KEYS]
local wait = charge({{unpack(KEYS, 1, #KEYS - 1)}}, ARGV)
local failures = tonumber(redis.call('GET', streak) or '0')
if wait ~= 0 or failures >= tonumber(ARGV[#ARGV]) then return {{wait, failures, 0}} end
add(streak)
return {{wait, failures, 1}}
"""
_REFUND_AND_END = f"""{REFUND}
refund({{unpack(KEYS, 1, #KEYS - 1)}})
redis.call('DEL', KEYS[#KEYS])
"""


@dataclass(frozen=True)
class Streak:
    """So many ``failures`` in a row before an attempt, which ``is_counted`` already or not yet."""

    failures: int
    is_counted: bool


class FailureStreaks:
    """Counts per account key (`AttemptLimits.account_key`), with an account or without. Fails closed.

    What a login needs together with `AttemptLimits` is one step: a call of Redis costs some 0.35 ms of processor time.
    All methods raise DependencyUnavailable when Redis is away.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._add = redis.register_script(f"{_ADD} return add(KEYS[1])")
        self._charge_and_add = redis.register_script(_CHARGE_AND_ADD)
        self._refund_and_end = redis.register_script(_REFUND_AND_END)

    def charge(self, account_key: str, buckets: Sequence[Bucket], *, asks_captcha: bool, counts_below: int) -> Streak:
        """Charge buckets as `AttemptLimits.charge`, and if that went well and fewer failed, count as `add`."""
        keys = [*(bucket.key for bucket in buckets), _key(account_key)]
        with redis_errors():
            found = self._charge_and_add(keys, [*charge_numbers(buckets, asks_captcha), counts_below])
        wait, failures, counted = (int(number) for number in found)
        refuse(wait)
        return Streak(failures, bool(counted))

    def add(self, account_key: str) -> int:
        """Count an attempt as failed before it is judged, and return how many there are now."""
        with redis_errors():
            return int(self._add([_key(account_key)]))

    def refund(self, account_key: str, buckets: Sequence[Bucket]) -> None:
        """Give an attempt back as `AttemptLimits.refund`, and forget the failures as `end`."""
        with redis_errors():
            self._refund_and_end([*(bucket.key for bucket in buckets), _key(account_key)])

    def end(self, account_key: str) -> None:
        """Forget the failures: the owner has come."""
        with redis_errors():
            self._redis.delete(_key(account_key))


def _key(account_key: str) -> str:
    return f"user:login:streak:{account_key}"


class Tarpit:
    """Holds logins up: 1 second for every 5 failures in a row before, at most 10.

    A held login occupies a thread, so only ``places`` are held at once in this process; others must come back.
    """

    FAILURES_PER_SECOND = 5
    MOST_SECONDS = 10

    def __init__(self, *, places: int, sleep: Callable[[float], None]) -> None:
        self._places = threading.BoundedSemaphore(places)
        self._sleep = sleep

    def hold(self, failures: int) -> None:
        """Wait as long as so many failures deserve.

        Raises:
            TooManyRequests: every place is taken.
        """
        seconds = min(failures // self.FAILURES_PER_SECOND, self.MOST_SECONDS)
        if not seconds:
            return
        if not self._places.acquire(blocking=False):
            raise TooManyRequests(retry_after_seconds=seconds)
        try:
            self._sleep(seconds)
        finally:
            self._places.release()
