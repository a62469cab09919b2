"""Limits of attempts on Redis, and what a login by password must pass before its hash: limits, captcha, delay, lockout.

An attempt is charged before the expensive work. The charge stays only if a secret was compared and is wrong; whatever
else ends the attempt, it is given back (`Attempt`). All of it depends on counters of the mobile and of the client's
network, never on whether the mobile has an account. Everything here fails closed: all methods raise
DependencyUnavailable while Redis is away.
"""

import hmac
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from redis import Redis

from chassis.addresses import client_network
from chassis.database import Database
from chassis.errors import CaptchaRequired, DependencyUnavailable, TooManyRequests
from chassis.lua import load_script
from chassis.mobiles import Mobile
from chassis.redis_client import redis_errors
from user_service.clients.captcha_service import CaptchaAnswer, Captchas

_SCRIPT = "login_guard"


@dataclass(frozen=True)
class Bucket:
    """At most ``most`` attempts within ``seconds`` from the first; ``key`` is its key in Redis.

    After ``captcha_after`` attempts the next one needs a captcha, if its route takes captchas.
    """

    key: str
    most: int
    seconds: int
    captcha_after: int | None = None


@dataclass
class Attempt:
    """One charged attempt at a secret. The block that compares the secret sets ``is_right``.

    While it is None, nothing was compared: an outage, a limit or a bug ended the attempt, and nothing is a failure.
    ``is_locked_out`` after too many failures in a row: the right password must then be answered like a wrong one.
    """

    is_right: bool | None = None
    is_locked_out: bool = False


@contextmanager
def _settled(attempt: Attempt, give_back: Callable[[], None]) -> Iterator[Attempt]:
    """Call ``give_back`` at the end of a block, however it ends, unless the secret was wrong."""
    try:
        yield attempt
    except BaseException:
        # The first error says what happened. What Redis cannot give back now runs out by itself.
        with suppress(DependencyUnavailable):
            if attempt.is_right is not False:
                give_back()
        raise
    if attempt.is_right is not False:
        give_back()


class RateLimits:
    """Charges and refunds buckets, all of them in one step."""

    def __init__(self, redis: Redis) -> None:
        self._run = load_script(redis, __file__, _SCRIPT)

    def charge(self, *buckets: Bucket) -> None:
        """Charge one attempt to every bucket, or to none.

        Raises:
            TooManyRequests: one of them is full; the error says when it opens again.
        """
        with redis_errors():
            wait = int(self._run(_keys(buckets), ["charge", 0, 0, *_numbers(buckets)]))
        _refuse(wait)

    @contextmanager
    def attempt(self, *buckets: Bucket) -> Iterator[Attempt]:
        """Charge an attempt for a block that compares a secret, and refund it at the end unless the secret was wrong.

        Raises:
            TooManyRequests: as `charge`; the block does not run.
        """
        self.charge(*buckets)
        with _settled(Attempt(), lambda: self.refund(*buckets)) as attempt:
            yield attempt

    def refund(self, *buckets: Bucket) -> None:
        """Give one attempt back to every bucket."""
        with redis_errors():
            self._run(_keys(buckets), ["refund"])


class LoginDelay:
    """Delays a login: 1 second for every 5 failures in a row before it, at most 10.

    A delayed login occupies a thread. Therefore at most ``slots`` logins wait in this process; the others are refused.
    """

    FAILURES_PER_SECOND = 5
    MOST_SECONDS = 10

    def __init__(self, *, slots: int, sleep: Callable[[float], None]) -> None:
        self._slots = threading.BoundedSemaphore(slots)
        self._sleep = sleep

    def wait(self, failures: int) -> None:
        """Wait for the time that belongs to this number of failures.

        Raises:
            TooManyRequests: every slot is taken.
        """
        seconds = min(failures // self.FAILURES_PER_SECOND, self.MOST_SECONDS)
        if not seconds:
            return
        if not self._slots.acquire(blocking=False):
            raise TooManyRequests(retry_after_seconds=seconds)
        try:
            self._sleep(seconds)
        finally:
            self._slots.release()


@dataclass(frozen=True, kw_only=True)
class LoginBounds:
    """The sizes of the buckets of a login, and the failures in a row that lock an account out; as `Settings` names."""

    per_account: int
    per_ip: int
    captcha_after_per_account: int
    captcha_after_per_ip: int
    failures_in_a_row: int


class LoginGuard:
    """Admits logins by password."""

    def __init__(
        self, redis: Redis, database: Database, captchas: Captchas, delay: LoginDelay, *, key: str, bounds: LoginBounds
    ) -> None:
        self._redis = redis
        self._run = load_script(redis, __file__, _SCRIPT)
        self._database = database
        self._captchas = captchas
        self._delay = delay
        # A derived key: the names in Redis reveal nothing about other uses of the secret.
        self._key = hmac.digest(key.encode(), b"keys of attempt limits", "sha256")
        self._bounds = bounds

    @contextmanager
    def attempt(self, mobile: Mobile, ip: str, captcha: CaptchaAnswer | None) -> Iterator[Attempt]:
        """Count an attempt as a failure, perhaps delay it, and run the block that compares the password.

        At its end a right password refunds the attempt and forgets the failures in a row; without a comparison exactly
        this attempt is taken back. A captcha that was sent is always verified.

        Raises:
            TooManyRequests: too many failures, or too many logins are delayed already.
            CaptchaRequired, CaptchaWrong, CaptchaExpired: no password is checked and nothing is counted.
            XinjingError: Redis, captcha-service or, before a captcha is used up, the database is away.
        """
        buckets, failures_key = self.buckets(mobile, ip), self._failures_key(mobile)
        # Without a captcha and without a delay, the attempt is counted in the same step: a call of Redis costs some
        # 0.35 ms of processor time.
        count_below = LoginDelay.FAILURES_PER_SECOND if captcha is None else 0
        numbers = [int(captcha is None), count_below, *_numbers(buckets)]
        with redis_errors():
            answer = self._run([*_keys(buckets), failures_key], ["charge_login", *numbers])
        wait, failures, is_counted = (int(number) for number in answer)
        _refuse(wait)
        attempt, counted = Attempt(), failures + 1 if is_counted else 0
        with _settled(attempt, lambda: self._give_back(attempt, buckets, failures_key if counted else None)):
            if not counted:
                self._verify_and_delay(captcha, failures)
                counted = self._count_failure(failures_key)
            attempt.is_locked_out = counted > self._bounds.failures_in_a_row
            yield attempt

    def forget_failures(self, mobile: Mobile) -> None:
        """Forget the failures in a row, because the owner of the mobile proved to have it."""
        with redis_errors():
            self._redis.delete(self._failures_key(mobile))

    def buckets(self, mobile: Mobile, ip: str) -> tuple[Bucket, ...]:
        """Return the buckets that a password attempt is charged to: one of the mobile, one of the client's network."""
        bounds, name = self._bounds, self._name(mobile)
        return (
            Bucket(f"user:login:account:{name}", bounds.per_account, 300, bounds.captcha_after_per_account),
            Bucket(f"user:login:ip:{client_network(ip)}", bounds.per_ip, 60, bounds.captcha_after_per_ip),
        )

    def _give_back(self, attempt: Attempt, buckets: Sequence[Bucket], failures_key: str | None) -> None:
        """Give an attempt back; ``failures_key`` is None as long as it is not among the failures in a row."""
        operation = "refund" if failures_key is None else "refund_login" if attempt.is_right else "withdraw_login"
        with redis_errors():
            self._run([*_keys(buckets), *([failures_key] if failures_key else [])], [operation])

    def _verify_and_delay(self, captcha: CaptchaAnswer | None, failures: int) -> None:
        if captcha is not None:
            self._database.is_up()  # While it is away nobody can sign in, and no captcha is used up.
            self._captchas.verify(captcha)
        self._delay.wait(failures)

    def _count_failure(self, failures_key: str) -> int:
        with redis_errors():
            return int(self._run([failures_key], ["count_failure"]))

    def _failures_key(self, mobile: Mobile) -> str:
        return f"user:login:streak:{self._name(mobile)}"

    def _name(self, mobile: Mobile) -> str:
        """Name a mobile in Redis keys, with an account or without; nobody can read the mobile from it."""
        return hmac.digest(self._key, mobile.encode(), "sha256").hex()


def _keys(buckets: Sequence[Bucket]) -> list[str]:
    return [bucket.key for bucket in buckets]


def _numbers(buckets: Sequence[Bucket]) -> list[int]:
    """Return the three numbers of each bucket, as the script takes them."""
    return [
        number
        for bucket in buckets
        for number in (bucket.most, bucket.seconds * 1000, bucket.captcha_after or bucket.most)
    ]


def _refuse(wait: int) -> None:
    """Raise the error that a charge answered; nothing if it is 0."""
    if wait < 0:
        raise CaptchaRequired
    if wait:
        raise TooManyRequests(retry_after_seconds=math.ceil(wait / 1000))
