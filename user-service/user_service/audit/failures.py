"""Writes failures to the audit log: of known accounts and unknown ones alike, and never without a bound.

An attack must not fill the disk: a limit that is reached is written once a minute for each address, and in an hour the
first ``per_hour`` failures are written, then those whose number is a power of two; each of these says its number.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from redis import Redis

from chassis.addresses import client_network
from chassis.database import Database
from chassis.errors import (
    CredentialsWrong,
    MobileTaken,
    PasswordResetRequired,
    SmsCodeExpired,
    SmsCodeWrong,
    TooManyRequests,
)
from chassis.mobiles import Mobile
from chassis.redis_client import redis_errors
from user_service.audit.log import Happening, record

_REFUSALS = (CredentialsWrong, MobileTaken, PasswordResetRequired, SmsCodeExpired, SmsCodeWrong)
_HOUR_SECONDS = 3600
_LIMIT_SECONDS = 60


class FailureLog:
    """Adds lines in transactions of their own, as what failed left none. Fails closed."""

    def __init__(self, database: Database, redis: Redis, *, per_hour: int, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._redis = redis
        self._per_hour = per_hour
        self._clock = clock

    @contextmanager
    def watch(self, event: str, mobile: Mobile, ip: str, *, user_id: int | None = None) -> Iterator[None]:
        """Write down how the block ends, if somebody is refused in it; the error goes its way.

        ``user_id`` is who is signed in, if somebody is; else the account is that of the mobile, if there is one.
        """
        try:
            yield
        except TooManyRequests as error:
            if self._is_first(f"user:audit:limit:{event}:{client_network(ip)}"):
                self._write(Happening(event, error.code, user_id, user_id, mobile))
            raise
        except _REFUSALS as error:
            self._write(Happening(event, error.code, user_id, user_id, mobile))
            raise

    def _is_first(self, key: str) -> bool:
        with redis_errors():
            return bool(self._redis.set(key, 1, nx=True, ex=_LIMIT_SECONDS))

    def _write(self, happening: Happening) -> None:
        now = self._clock()
        number = self._number_in_hour(now)
        is_within = number <= self._per_hour
        if not is_within and number & (number - 1):
            return
        detail = "" if is_within else f"Failure {number} of this hour; most are left out."
        with self._database.write() as db:
            record(db, replace(happening, detail=detail), now=now)

    def _number_in_hour(self, now: datetime) -> int:
        key = f"user:audit:failures:{int(now.timestamp()) // _HOUR_SECONDS}"
        with redis_errors(), self._redis.pipeline(transaction=True) as pipeline:
            pipeline.incr(key)
            pipeline.expire(key, 2 * _HOUR_SECONDS)
            return int(pipeline.execute()[0])
