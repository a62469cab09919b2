"""The API's side of the state machine: reserve, commit or abort a code, and check it once."""

import re
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any  # redis-py types the answers of every protocol version; ours are lists.

from redis import Redis

from chassis.errors import SmsCodeExpired
from chassis.lua import load_script
from chassis.mobiles import Mobile, country_of
from chassis.redis_client import redis_errors
from chassis.texts import plain
from sms_service.codes.crypto import CodeKeys
from sms_service.codes.keys import (
    BUDGET_PREFIX,
    alarm_key,
    current_code_prefix,
    guesses_key,
    job_key,
    unanswered_sends_prefix,
)
from sms_service.codes.limit_settings import LimitSettings
from sms_service.codes.purposes import GUESS_GROUPS, Language, Purpose
from sms_service.codes.reservation import LimitReached, Reservation, build_reserve_call, parse_reservation

TEST_PROVIDER = "test"  # The provider's name in metrics where a code is never texted.
# A newer code can become valid between the two steps of a check, but at most once per resend interval.
_MOST_LOOKUPS = 3


@dataclass(frozen=True)
class CodeCheck:
    """The result of one try; a right one names where the text went, a wrong one whether it starts a lockout."""

    is_right: bool
    tries_left: int = 0
    country: str = ""
    provider: str = ""
    starts_lockout: bool = False


def random_code() -> str:
    """Draw six digits from the system's random source; leading zeros stay."""
    return f"{secrets.randbelow(10**6):06d}"


class SmsCodes:
    """Codes in Redis. Every step is one atomic script, and fails closed.

    A code becomes valid when COMMIT or a worker's CLAIM comes first; if ABORT comes first, it never does. All methods
    raise `DependencyUnavailable` when Redis is away.
    """

    def __init__(
        self, redis: Redis, keys: CodeKeys, limits: LimitSettings, *, draw: Callable[[], str] = random_code
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._limits = limits
        # Without the test numbers: they are whole mobiles, and no script needs them.
        self._reserve_limits = limits.model_dump(include=set(LimitSettings.model_fields) - {"test_mobiles"})
        self._draw = draw
        self._reserve = load_script(redis, __file__, "windows", "trust", "limits", "reserve")
        self._abort = load_script(redis, __file__, "give_back", "abort")
        self._commit, self._check = (load_script(redis, __file__, name) for name in ("commit", "check"))

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
        mobile_hash, block_hash = self._keys.mobile_hash(mobile), self._keys.block_hash(mobile)
        has_text, job_id = fixed_code is None, uuid.uuid4().hex
        reservation = Reservation(job_id, mobile_hash, block_hash, purpose, ip, country_of(mobile), has_text=has_text)
        fields = {"purpose": purpose.value, "subject": subject, "language": language.value}
        fields |= self._code_fields(reservation, mobile, fixed_code or self._draw())
        keys, argument = build_reserve_call(reservation, fields, self._reserve_limits)
        with redis_errors():
            reply = self._reserve(keys, [argument])
        return parse_reservation(reservation, reply)

    def _code_fields(self, job: Reservation, mobile: Mobile, code: str) -> dict[str, str]:
        digest = self._keys.code_digest(code, mobile_hash=job.mobile_hash, purpose=job.purpose, job_id=job.job_id)
        if not job.has_text:
            return {"code_digest": digest, "provider": TEST_PROVIDER}
        return {
            "code_digest": digest,
            "code_sealed": self._keys.seal(code, context=f"{job.job_id} code"),
            "mobile_sealed": self._keys.seal(mobile, context=f"{job.job_id} mobile"),
        }

    def commit(self, reservation: Reservation) -> str:
        """Make the code the valid one; answers ``committed``, or the state that another step reached before."""
        current_code = current_code_prefix(reservation.mobile_hash) + reservation.purpose
        with redis_errors():
            return str(self._commit([reservation.charged_keys[0], current_code], [reservation.job_id]))

    def abort(self, reservation: Reservation) -> str:
        """Give everything back; answers ``aborted``, ``gone``, or the state that a worker reached before."""
        with redis_errors():
            return str(self._abort(reservation.charged_keys, [reservation.job_id]))

    def check(self, mobile: Mobile, purpose: Purpose, *, code: str, subject: str) -> CodeCheck:
        """Try a code once. A right one is used up; the fifth wrong try makes the code invalid.

        The digits of ``code`` count, of every script and whatever stands between them.

        Raises:
            SmsCodeExpired: there is no valid code for this mobile, purpose and subject; no try is counted.
            LimitReached: the codes of this mobile are locked after too many wrong tries.
        """
        mobile_hash, digits = self._keys.mobile_hash(mobile), re.sub("[^0-9]", "", plain(code))
        for _ in range(_MOST_LOOKUPS):
            with redis_errors():
                job_id = str(self._redis.get(current_code_prefix(mobile_hash) + purpose) or "")
            digest = self._keys.code_digest(digits, mobile_hash=mobile_hash, purpose=purpose, job_id=job_id)
            result, *details = self._check_digest(mobile_hash, purpose, job_id, arguments=[digest, subject])
            if result == "locked":
                raise LimitReached("guesses", float(details[0]))
            if result == "right":
                return CodeCheck(True, country=str(details[0]), provider=str(details[1]))
            if result == "wrong":
                return CodeCheck(False, tries_left=int(details[0]), starts_lockout=bool(details[1]))
            if result == "none":
                break
        raise SmsCodeExpired

    def _check_digest(
        self, mobile_hash: str, purpose: Purpose, job_id: str, *, arguments: list[str | int]
    ) -> list[str | int]:
        keys = [
            current_code_prefix(mobile_hash) + purpose,
            job_key(mobile_hash, job_id),
            guesses_key(mobile_hash, purpose.guess_group),
            unanswered_sends_prefix(mobile_hash) + purpose,
        ]
        limits = self._limits
        bounds = [limits.wrong_tries_per_code, limits.wrong_tries_before_rest, limits.wrong_tries_before_stop]
        with redis_errors():
            reply: list[str | int] = self._check(keys, [job_id, *arguments, *bounds, limits.rest_seconds * 1000])
        return reply

    def reset_guesses(self, mobile: Mobile) -> bool:
        """End a mobile's lockout after wrong tries; False if it had no wrong tries."""
        mobile_hash = self._keys.mobile_hash(mobile)
        with redis_errors():
            return bool(self._redis.delete(*(guesses_key(mobile_hash, group) for group in GUESS_GROUPS)))

    def alarms(self) -> dict[str, datetime]:
        """Name the countries that have an alarm of SMS pumping, and since when."""
        countries = self._limits.countries
        with redis_errors():
            begun: Any = self._redis.mget([alarm_key(country) for country in countries])
        pairs = zip(countries, begun, strict=True)
        return {country: datetime.fromtimestamp(int(ms) / 1000, UTC) for country, ms in pairs if ms}

    def end_alarm(self, country: str) -> bool:
        """End a country's alarm; False if there was none. It begins anew while its signs go on."""
        with redis_errors():
            return bool(self._redis.delete(alarm_key(country)))

    def sent_today(self) -> int:
        """Count the texts that are charged to the budget of this day of UTC."""
        with redis_errors():
            seconds, _ = self._redis.time()
            return int(self._redis.hget(f"{BUDGET_PREFIX}day:{seconds // 86_400}", "sent") or 0)
