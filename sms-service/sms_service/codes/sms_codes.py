"""The API's side of the state machine: reserve, commit or abort a code, and check it once."""

import json
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from redis import Redis

from chassis.errors import SmsCodeExpired
from chassis.mobiles import Mobile, country_of
from chassis.redis_client import redis_errors
from sms_service.codes.crypto import CodeKeys
from sms_service.codes.keys import (
    BUDGET_PREFIX,
    KILL_SWITCH_KEY,
    country_prefix,
    guesses_key,
    job_key,
    pointer_prefix,
    unanswered_sends_prefix,
)
from sms_service.codes.limit_settings import LimitSettings
from sms_service.codes.purposes import GUESS_GROUPS, Purpose
from sms_service.codes.reservation import BudgetUse, LimitReached, Reservation, refusal
from sms_service.codes.templates import Language
from sms_service.lua import load_script

TEST_PROVIDER = "test"  # What stands for a provider where a code is never texted.


@dataclass(frozen=True)
class Order:
    """One call of RESERVE: its keys and its argument, and the reservation as far as it is known before."""

    asked: Reservation
    keys: list[str]
    argument: str

    def reserved(self, answer: str) -> Reservation:
        """Read what the script answered.

        Raises:
            LimitReached, BudgetSpent: it refused.
        """
        said = json.loads(answer)
        if "refused" in said:
            raise refusal(said["refused"], said["wait_ms"])
        sent, verified = said["country"]["sent"], said["country"]["verified"]
        return replace(
            self.asked,
            expires_at=said["exp_ms"] // 1000,
            resend_after_seconds=-(-said["resend_ms"] // 1000),
            use=BudgetUse(said["minute_used"], said["day_used"], (sent - verified) / sent, said.get("warns_at")),
        )


class Orders:
    """Writes orders with fresh codes."""

    def __init__(self, keys: CodeKeys, limits: LimitSettings, draw: Callable[[], str]) -> None:
        self._keys = keys
        self._draw = draw
        self._home = limits.countries[0]
        # Not the test numbers: they are whole mobiles, and no script needs them.
        self._limits = limits.model_dump(include=set(LimitSettings.model_fields) - {"test_mobiles"})

    def write(
        self, mobile: Mobile, purpose: Purpose, *, subject: str, ip: str, language: Language, fixed_code: str | None
    ) -> Order:
        """Write an order; the arguments are those of `SmsCodes.reserve`."""
        mobile_hash, block_hash = self._keys.mobile_hash(mobile), self._keys.block_hash(mobile)
        country, has_text = country_of(mobile), fixed_code is None
        asked = Reservation(uuid.uuid4().hex, mobile_hash, block_hash, purpose, ip, country, has_text=has_text)
        keys = [*asked.charged_keys, guesses_key(mobile_hash, purpose.guess_group), KILL_SWITCH_KEY]
        argument = {
            "job_id": asked.job_id,
            "country": country,
            "is_home": country == self._home,
            "country_counters": country_prefix(country),
            "budget_counters": BUDGET_PREFIX,
            "limits": self._limits,
            "fields": self._fields(asked, mobile, fixed_code) | {"subject": subject, "language": language},
        }
        return Order(asked, keys, json.dumps(argument))

    def _fields(self, job: Reservation, mobile: Mobile, fixed_code: str | None) -> dict[str, str]:
        code = fixed_code or self._draw()
        digest = self._keys.code_digest(code, mobile_hash=job.mobile_hash, purpose=job.purpose, job_id=job.job_id)
        fields = {"purpose": job.purpose.value, "code_digest": digest}
        if not job.has_text:
            return fields | {"provider": TEST_PROVIDER}
        return fields | {
            "code_sealed": self._keys.seal(code, context=f"{job.job_id} code"),
            "mobile_sealed": self._keys.seal(mobile, context=f"{job.job_id} mobile"),
        }


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
