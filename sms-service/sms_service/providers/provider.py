"""What every SMS provider does."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from chassis.mobiles import Mobile
from sms_service.providers.outcomes import ProviderAnswer
from sms_service.purposes import Notice, Purpose
from sms_service.templates import Language


@dataclass(frozen=True)
class OutgoingSms:
    """One text to send. ``job_id`` (32 alphanumerics) is the idempotency key where a provider takes one.

    Providers with templates of their own send the `parameters`; the others send ``text`` as it is. A notice has no
    code. After ``left_seconds`` the code is dead, and the text worth nothing.
    """

    job_id: str
    mobile: Mobile
    purpose: Purpose | Notice
    language: Language
    code: str
    valid_minutes: int
    text: str
    left_seconds: int

    @property
    def parameters(self) -> dict[str, str]:
        """What the templates of vendors take, in this order; nothing for a notice."""
        return {"code": self.code, "minutes": str(self.valid_minutes)} if self.code else {}


class ProviderUnusable(Exception):
    """A provider cannot be made; the message names what it lacks."""


class Provider(Protocol):
    """One provider. Threads share the object."""

    name: str

    def send(self, sms: OutgoingSms) -> ProviderAnswer:
        """Hand a text over, within 8 seconds. Failures are answers, not exceptions."""

    def carries(self, purpose: Purpose | Notice) -> bool:
        """Say whether it has the words for such a text; it has for every code."""

    def repeats_safely(self, *, first_sent_at: datetime, at: datetime) -> bool:
        """Say whether sending a job again at that time texts the person at most once in all."""

    def close(self) -> None:
        """Let go of connections."""
