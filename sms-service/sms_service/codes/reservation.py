"""What RESERVE (``reserve.lua``) is told to do, and its reply: a code that is not valid yet, or the limit that refuses.

JSON in both directions; this module writes and reads it, and `SmsCodes` calls the script.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any  # The values of settings, as pydantic dumps them.

from structlog import get_logger

from chassis.errors import SmsUnavailable, TooManyRequests
from sms_service import metrics
from sms_service.codes.keys import (
    BUDGET_PREFIX,
    KILL_SWITCH_KEY,
    WAITING_KEY,
    alarm_key,
    block_asked_key,
    block_sends_key,
    block_unverified_key,
    cooldown_prefix,
    country_prefix,
    guesses_key,
    ip_sends_key,
    ip_unverified_key,
    job_key,
    mobile_sends_key,
    network_asked_key,
    network_sends_key,
    network_unverified_key,
    unanswered_sends_prefix,
)
from sms_service.codes.purposes import Purpose

log = get_logger(__name__)
# Of all texts, or of a country: the caller did not cause them, and waiting may not help the caller.
_BUDGETS = frozenset({"kill_switch", "sends_minute", "sends_day", "country_hour", "country_day"})
_LONGEST_WAIT_SECONDS = 86400  # The lockout after too many wrong tries lasts until an operator ends it.


class LimitReached(TooManyRequests):
    """A limit of the mobile, the address or the block, missing trust, or a lockout; ``limit`` names it."""

    def __init__(self, limit: str, wait_ms: float) -> None:
        super().__init__(retry_after_seconds=min(math.ceil(wait_ms / 1000), _LONGEST_WAIT_SECONDS))
        self.limit = limit


class BudgetSpent(SmsUnavailable):
    """A budget of all texts or of a country is spent, or the kill switch is on; ``limit`` names it."""

    def __init__(self, limit: str, wait_ms: float) -> None:
        super().__init__(retry_after_seconds=math.ceil(wait_ms / 1000))
        self.limit = limit


def limit_error(limit: str, wait_ms: float) -> LimitReached | BudgetSpent:
    """Make the error of the limit that refused."""
    return BudgetSpent(limit, wait_ms) if limit in _BUDGETS else LimitReached(limit, wait_ms)


@dataclass(frozen=True)
class BudgetUse:
    """How much is used of the budgets, as shares of 1.

    ``warns_at`` is the percentage of the day's budget that was reached for the first time, if one was.
    """

    minute_share: float
    day_share: float
    unverified_share: float
    warns_at: int | None


@dataclass(frozen=True)
class Reservation:
    """A code that is not valid yet. ``expires_at`` is a Unix second, by the clock of Redis.

    ``resend_after_seconds`` is how long this mobile must wait for its next code. A code for a test number has no text.
    """

    job_id: str
    mobile_hash: str
    block_hash: str
    purpose: Purpose
    ip: str
    country: str
    has_text: bool = True
    expires_at: int = 0
    resend_after_seconds: int = 0
    use: BudgetUse | None = None

    @property
    def charged_keys(self) -> list[str]:
        """The Redis keys of the job, its cooldown and the logs that it charged, as RESERVE and ABORT take them."""
        return [
            job_key(self.mobile_hash, self.job_id),
            cooldown_prefix(self.mobile_hash) + self.purpose,
            mobile_sends_key(self.mobile_hash),
            ip_sends_key(self.ip),
            ip_unverified_key(self.ip),
            block_sends_key(self.block_hash),
            block_unverified_key(self.block_hash),
            network_sends_key(self.ip),
            network_unverified_key(self.ip),
            unanswered_sends_prefix(self.mobile_hash) + self.purpose,
            WAITING_KEY,
        ]


def build_reserve_call(
    reservation: Reservation, fields: Mapping[str, str], limits: Mapping[str, Any]
) -> tuple[list[str], str]:
    """Return the keys and the argument of RESERVE; ``fields`` are what the job keeps beside its state."""
    keys = [
        *reservation.charged_keys,
        guesses_key(reservation.mobile_hash, reservation.purpose.guess_group),
        KILL_SWITCH_KEY,
        block_asked_key(reservation.block_hash),
        network_asked_key(reservation.ip),
        alarm_key(reservation.country),
    ]
    argument = {
        "job_id": reservation.job_id,
        "country": reservation.country,
        "is_home": reservation.country == limits["countries"][0],
        "country_counters": country_prefix(reservation.country),
        "budget_counters": BUDGET_PREFIX,
        "limits": limits,
        "fields": fields,
    }
    return keys, json.dumps(argument)


def parse_reservation(reservation: Reservation, reply: str) -> Reservation:
    """Complete a reservation with the reply of RESERVE.

    Raises:
        LimitReached, BudgetSpent: RESERVE refused.
    """
    fields = json.loads(reply)
    _report_alarm(reservation.country, fields)
    if "refused" in fields:
        raise limit_error(fields["refused"], fields["wait_ms"])
    sent, verified = fields["country"]["sent"], fields["country"]["verified"]
    return replace(
        reservation,
        expires_at=fields["exp_ms"] // 1000,
        resend_after_seconds=-(-fields["resend_ms"] // 1000),
        use=BudgetUse(fields["minute_used"], fields["day_used"], (sent - verified) / sent, fields.get("warns_at")),
    )


def _report_alarm(country: str, fields: Mapping[str, Any]) -> None:
    metrics.ALARM.labels(country).set(fields["alarm"])
    if fields["alarm_begins"]:
        metrics.ALARMS.labels(country).inc()
        log.warning("sms_pumping_alarm", country=country)
