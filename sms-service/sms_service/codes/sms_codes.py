"""The API's side of the state machine: reserve, commit or abort a code, and check it once."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from redis import Redis

from chassis.errors import SmsCodeExpired
from chassis.mobiles import Mobile
from chassis.redis_client import redis_errors
from sms_service.codes.keys import BUDGET_PREFIX, guesses_key, job_key, pointer_prefix, unanswered_sends_prefix
from sms_service.codes.orders import Orders
from sms_service.codes.reservation import LimitReached, Reservation
from sms_service.codes.sealing import CodeKeys
from sms_service.limit_settings import LimitSettings
from sms_service.lua import load_script
from sms_service.purposes import GUESS_GROUPS, Purpose
from sms_service.templates import Language

_FOLLOWS = 3  # A pointer moves at most once per resend interval; three looks are plenty.


@dataclass(frozen=True)
class Checked:
    """The result of one try; a right one names where the text went, a wrong one whether it made the codes rest."""

    is_right: bool
    tries_left: int = 0
    country: str = ""
    provider: str = ""
    begins_rest: bool = False


def random_code() -> str:
    """Draw six digits from the system's random source; leading zeros stay."""
    return f"{secrets.randbelow(10**6):06d}"


class SmsCodes:
    """Codes in Redis. Every method is one atomic script, and fails closed.

    A code is valid if and only if COMMIT or a worker's CLAIM won; ABORT wins against both or loses for good.
    All methods raise `DependencyUnavailable` when Redis is away.
    """

    def __init__(
        self, redis: Redis, keys: CodeKeys, limits: LimitSettings, *, draw: Callable[[], str] = random_code
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._limits = limits
        self._orders = Orders(keys, limits, draw)
        self._reserve = load_script(redis, __file__, "windows", "limits", "reserve")
        self._commit, self._abort, self._check = (
            load_script(redis, __file__, name) for name in ("commit", "abort", "check")
        )

    def reserve(
        self,
        mobile: Mobile,
        purpose: Purpose,
        *,
        subject: str,
        ip: str,
        language: Language = Language.ZH,
        fixed_code: str | None = None,
    ) -> Reservation:
        """Charge the limits and keep a new code that is not valid yet; ``subject`` is empty or the user's id.

        ``language`` is that of the text; a ``fixed_code`` is a test number's, and has none.

        Raises:
            LimitReached: a limit of the mobile, the address or the block; nothing is charged.
            BudgetSpent: a budget of all texts or of the country, or the kill switch; nothing is charged.
        """
        order = self._orders.write(mobile, purpose, subject=subject, ip=ip, language=language, fixed_code=fixed_code)
        with redis_errors():
            answer = self._reserve(order.keys, [order.argument])
        return order.reserved(answer)

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
            LimitReached: the codes of this mobile rest after too many wrong tries.
        """
        mobile_hash = self._keys.mobile_hash(mobile)
        pointer = pointer_prefix(mobile_hash) + purpose
        for _ in range(_FOLLOWS):
            with redis_errors():
                job_id = str(self._redis.get(pointer) or "")
            result, *more = self._try(job_id, mobile_hash, purpose, code=code, subject=subject)
            if result == "resting":
                raise LimitReached("guesses", float(more[0]))
            if result == "right":
                return Checked(True, country=str(more[0]), provider=str(more[1]))
            if result == "wrong":
                return Checked(False, tries_left=int(more[0]), begins_rest=bool(more[1]))
            if result == "none":
                break
        raise SmsCodeExpired

    def _try(self, job_id: str, mobile_hash: str, purpose: Purpose, *, code: str, subject: str) -> list[str | int]:
        keys = [
            pointer_prefix(mobile_hash) + purpose,
            job_key(mobile_hash, job_id),
            guesses_key(mobile_hash, purpose.guess_group),
            unanswered_sends_prefix(mobile_hash) + purpose,
        ]
        digest = self._keys.code_digest(code, mobile_hash=mobile_hash, purpose=purpose, job_id=job_id)
        limits = self._limits
        arguments: list[str | int] = [
            job_id, digest, subject, limits.wrong_tries_per_code, limits.wrong_tries_before_rest,
            limits.wrong_tries_before_stop, limits.rest_seconds * 1000,
        ]  # fmt: skip
        with redis_errors():
            answer: list[str | int] = self._check(keys, arguments)
        return answer

    def forget_guesses(self, mobile: Mobile) -> bool:
        """Let a mobile's codes work again after wrong tries; False if it had none."""
        mobile_hash = self._keys.mobile_hash(mobile)
        with redis_errors():
            return bool(self._redis.delete(*(guesses_key(mobile_hash, group) for group in GUESS_GROUPS)))

    def sent_today(self) -> int:
        """Count the texts that are charged to the budget of this day of UTC."""
        with redis_errors():
            seconds, _ = self._redis.time()
            return int(self._redis.hget(f"{BUDGET_PREFIX}day:{seconds // 86_400}", "sent") or 0)
