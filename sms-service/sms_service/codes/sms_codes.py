"""The API's side of the state machine: reserve, commit or abort a code, and check it once."""

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from redis import Redis

from chassis.errors import SmsCodeExpired
from chassis.mobiles import Mobile
from chassis.redis_client import redis_errors
from sms_service.codes.keys import job_key, pointer_prefix
from sms_service.codes.reservation import CodeLimits, LimitReached, Reservation
from sms_service.codes.sealing import CodeKeys
from sms_service.lua import load_script
from sms_service.purposes import Purpose

_FOLLOWS = 3  # A pointer moves at most once per resend interval; three looks are plenty.


@dataclass(frozen=True)
class Checked:
    """The result of one try."""

    is_right: bool
    tries_left: int


def random_code() -> str:
    """Draw six digits from the system's random source; leading zeros stay."""
    return f"{secrets.randbelow(10**6):06d}"


class SmsCodes:
    """Codes in Redis. Every method is one atomic script, and fails closed.

    A code is valid if and only if COMMIT or a worker's CLAIM won; ABORT wins against both or loses for good.
    All methods raise `DependencyUnavailable` when Redis is away.
    """

    def __init__(
        self, redis: Redis, keys: CodeKeys, limits: CodeLimits, *, draw: Callable[[], str] = random_code
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._limits = limits
        self._draw = draw
        self._reserve, self._commit, self._abort, self._check = (
            load_script(redis, __file__, name) for name in ("reserve", "commit", "abort", "check")
        )

    def reserve(self, mobile: Mobile, purpose: Purpose, *, subject: str, ip: str) -> Reservation:
        """Charge the limits and keep a new code that is not valid yet; ``subject`` is empty or the user's id.

        Raises:
            LimitReached: the resend interval, or a limit of the mobile or of the address; nothing is charged.
        """
        mobile_hash, job_id = self._keys.mobile_hash(mobile), uuid.uuid4().hex
        reservation = Reservation(job_id, mobile_hash, purpose, ip, 0)
        fields = self._fields(reservation, mobile, self._draw()) | {"subject": subject}
        limits = self._limits
        arguments: tuple[str | int, ...] = (
            job_id, limits.ttl_seconds * 1000, limits.resend_interval_seconds * 1000,
            limits.per_mobile_per_hour, limits.per_mobile_per_day, limits.per_ip_per_hour, limits.per_ip_per_day,
        )  # fmt: skip
        pairs = [part for pair in fields.items() for part in pair]
        with redis_errors():
            answer = self._reserve(reservation.charged_keys, [*arguments, *pairs])
        if answer[0] == "refused":
            raise LimitReached(answer[1], answer[2])
        return Reservation(job_id, mobile_hash, purpose, ip, answer[1] // 1000)

    def _fields(self, job: Reservation, mobile: Mobile, code: str) -> dict[str, str]:
        digest = self._keys.code_digest(code, mobile_hash=job.mobile_hash, purpose=job.purpose, job_id=job.job_id)
        return {
            "purpose": job.purpose,
            "code_digest": digest,
            "code_sealed": self._keys.seal(code, context=f"{job.job_id} code"),
            "mobile_sealed": self._keys.seal(mobile, context=f"{job.job_id} mobile"),
        }

    def commit(self, reservation: Reservation) -> str:
        """Make the code the valid one; answers ``committed``, or the state that another step reached before."""
        keys = [reservation.charged_keys[0], pointer_prefix(reservation.mobile_hash) + reservation.purpose]
        with redis_errors():
            return str(self._commit(keys, [reservation.job_id]))

    def abort(self, reservation: Reservation) -> str:
        """Give everything back; answers ``aborted``, ``gone``, or the state that a worker reached before."""
        with redis_errors():
            return str(self._abort(reservation.charged_keys, [reservation.job_id]))

    def check(self, mobile: Mobile, purpose: Purpose, *, code: str, subject: str) -> Checked:
        """Try a code once. A right one is used up, and the fifth wrong try burns it.

        Raises:
            SmsCodeExpired: there is no live code for this mobile, purpose and subject; no try is counted.
        """
        mobile_hash = self._keys.mobile_hash(mobile)
        pointer = pointer_prefix(mobile_hash) + purpose
        for _ in range(_FOLLOWS):
            with redis_errors():
                job_id = self._redis.get(pointer)
            if job_id is None:
                break
            result, *left = self._try(str(job_id), mobile_hash, purpose, code=code, subject=subject)
            if result in ("right", "wrong"):
                return Checked(result == "right", int(left[0]) if left else 0)
            if result == "none":
                break
        raise SmsCodeExpired

    def _try(self, job_id: str, mobile_hash: str, purpose: Purpose, *, code: str, subject: str) -> list[str]:
        keys = [pointer_prefix(mobile_hash) + purpose, job_key(mobile_hash, job_id)]
        digest = self._keys.code_digest(code, mobile_hash=mobile_hash, purpose=purpose, job_id=job_id)
        with redis_errors():
            answer: list[str] = self._check(keys, [job_id, digest, subject, self._limits.wrong_tries])
        return answer
