"""How often in a row the password of a mobile was wrong: what slows guessing down, and ends it at a hundred."""

import threading
from collections.abc import Callable

from redis import Redis

from chassis.errors import TooManyRequests
from chassis.redis_client import redis_errors

# A streak is forgotten after as many days without a failure as it has failures, at most 30: who tries one password for
# each of a million mobiles fills Redis for a day only, and nobody gets more than about one free guess a day.
_ADD = """
local failures = redis.call('INCR', KEYS[1])
redis.call('EXPIRE', KEYS[1], math.min(failures, 30) * 86400)
return failures
"""


class FailureStreaks:
    """Counts per account key (`AttemptLimits.account_key`), with an account or without. Fails closed."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._add = redis.register_script(_ADD)

    def count(self, account_key: str) -> int:
        """Return the failures so far; raises DependencyUnavailable as all methods here."""
        with redis_errors():
            return int(self._redis.get(_key(account_key)) or 0)

    def add(self, account_key: str) -> int:
        """Count an attempt as failed before it is judged, and return how many there are now."""
        with redis_errors():
            return int(self._add(keys=[_key(account_key)]))

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
