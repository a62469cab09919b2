"""What a provider's answer means for the worker: one taxonomy for all providers."""

import enum
from dataclasses import dataclass


class Outcome(enum.StrEnum):
    """The classes of answers (note of the SMS service, section 2)."""

    ACCEPTED = "accepted"
    REFUSED_RECIPIENT = "refused_recipient"  # Bad number, blacklist, opt-out, region.
    REFUSED_LIMIT = "refused_limit"  # The provider's limit for this number; it protects the person.
    REFUSED_CONFIG = "refused_config"  # Credentials, balance, sign, template, address list, clock.
    REFUSED_BUSY = "refused_busy"  # Throttled: definitely not taken.
    NOT_SENT = "not_sent"  # The request never left: DNS, connect, TLS.
    UNCERTAIN = "uncertain"  # Nobody knows: read time-out, reset, 5xx, a body that cannot be read.

    @property
    def is_refusal(self) -> bool:
        """Say whether certainly nobody was texted."""
        return self not in (Outcome.ACCEPTED, Outcome.UNCERTAIN)

    @property
    def lets_others_try(self) -> bool:
        """Say whether another provider may do better. What a person or their provider refused stays refused."""
        return self in (Outcome.REFUSED_CONFIG, Outcome.REFUSED_BUSY, Outcome.NOT_SENT)


@dataclass(frozen=True)
class ProviderAnswer:
    """One answer: its class, the provider's own code for logs and metrics, the provider's message id if it took it.

    ``retry_after_seconds`` is what a busy provider asks for (RFC 9110 10.2.3); 0 if it says nothing.
    """

    outcome: Outcome
    code: str = ""
    message_id: str = ""
    retry_after_seconds: float = 0
