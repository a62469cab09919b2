"""A code that is asked for: the limits it is charged to, and what is reserved."""

import math
from dataclasses import dataclass

from chassis.errors import TooManyRequests
from sms_service.codes.keys import cooldown_prefix, ip_sends_key, job_key, mobile_sends_key
from sms_service.purposes import Purpose


@dataclass(frozen=True)
class CodeLimits:
    """How long a code lives, how often it may be tried, and how often one may be asked for."""

    ttl_seconds: int
    wrong_tries: int
    resend_interval_seconds: int
    per_mobile_per_hour: int
    per_mobile_per_day: int
    per_ip_per_hour: int
    per_ip_per_day: int


@dataclass(frozen=True)
class Reservation:
    """A code that is not valid yet. ``expires_at`` is a Unix second, by the clock of Redis."""

    job_id: str
    mobile_hash: str
    purpose: Purpose
    ip: str
    expires_at: int

    @property
    def charged_keys(self) -> list[str]:
        """The Redis keys of the job and of everything that it charged, as RESERVE and ABORT take them."""
        return [
            job_key(self.mobile_hash, self.job_id),
            cooldown_prefix(self.mobile_hash) + self.purpose,
            mobile_sends_key(self.mobile_hash),
            ip_sends_key(self.ip),
        ]


class LimitReached(TooManyRequests):
    """One of the limits of RESERVE; ``limit`` names it for the metrics."""

    def __init__(self, limit: str, wait_ms: int) -> None:
        super().__init__(retry_after_seconds=math.ceil(wait_ms / 1000))
        self.limit = limit
