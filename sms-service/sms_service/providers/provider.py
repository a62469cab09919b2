"""What every SMS provider does."""

import enum
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from structlog import get_logger

from chassis.mobiles import Mobile
from sms_service import metrics
from sms_service.codes.purposes import Notice, Purpose
from sms_service.codes.templates import Language, Templates


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


class TemplateIds:
    """A template id for every purpose and language, looked up once; notices may have none.

    Raises:
        ProviderUnusable: the file of templates has none for some purposes; the message names them.
    """

    def __init__(self, templates: Templates, provider: str) -> None:
        everything = itertools.product((*Purpose, *Notice), Language)
        found = {key: template_id for key in everything if (template_id := templates.id_of(provider, *key)) is not None}
        self._ids: dict[tuple[Purpose | Notice, Language], str] = found
        if missing := sorted(purpose.value for purpose in Purpose if not self.has(purpose)):
            raise ProviderUnusable(f"{provider} has no template id for {', '.join(missing)} (SMS_TEMPLATES_FILE)")

    def has(self, purpose: Purpose | Notice) -> bool:
        """Say whether there is an id; one in any language stands for all."""
        return (purpose, Language.ZH) in self._ids

    def of(self, sms: OutgoingSms) -> str:
        """Find the id for a text."""
        return self._ids[sms.purpose, sms.language]


log = get_logger(__name__)
UNKNOWN = "unknown"
_LOGGABLE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
Codes = Mapping[Outcome, Iterable[str]]


class CodeTable:
    """The codes of one vendor by outcome: whole codes first, then beginnings of codes, the longest one first.

    Answers carry a code of the table, a beginning with a ``*``, or ``unknown``, so that their number is bounded
    whatever a vendor sends: they become values of a metric's label. The log has the vendor's own word.
    """

    def __init__(self, provider: str, exact: Codes, prefixes: Codes | None = None) -> None:
        self._provider = provider
        self._exact = _by_code(exact)
        self._prefixes = dict(sorted(_by_code(prefixes or {}).items(), key=lambda each: -len(each[0])))

    def answer(self, code: str, *, message_id: str = "") -> ProviderAnswer:
        """Classify a code; an unknown one is UNCERTAIN, and counted."""
        if code in self._exact:
            return ProviderAnswer(self._exact[code], code, message_id)
        prefix = next((prefix for prefix in self._prefixes if code.startswith(prefix)), None)
        outcome = self._prefixes[prefix] if prefix else Outcome.UNCERTAIN
        if prefix is None:
            metrics.UNKNOWN_CODES.labels(self._provider).inc()
        log.warning("provider_code_unlisted", provider=self._provider, answered=for_logs(code), outcome=outcome.value)
        return ProviderAnswer(outcome, f"{prefix}*" if prefix else UNKNOWN, message_id)


def for_logs(word: str) -> str:
    """Take a vendor's word as it is if it can be a code, so that no text of a vendor's stands in a log."""
    return word if _LOGGABLE.fullmatch(word) else "garbled"


def _by_code(codes: Codes) -> dict[str, Outcome]:
    pairs = [(code, outcome) for outcome, each in codes.items() for code in each]
    outcomes = dict(pairs)
    if len(outcomes) < len(pairs):
        raise ValueError("a code stands in two classes")
    return outcomes
