"""What RESERVE is told to do, and what it answers, as JSON; decided here, done in ``reserve.lua``."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from chassis.mobiles import Mobile, country_of
from sms_service.codes.keys import BUDGET_PREFIX, KILL_SWITCH_KEY, country_prefix, guesses_key
from sms_service.codes.reservation import BudgetUse, Reservation, refusal
from sms_service.codes.sealing import CodeKeys
from sms_service.limit_settings import LimitSettings
from sms_service.purposes import Purpose
from sms_service.templates import Language

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
