"""What every SMS provider does, the outcomes of its answers, and the tables of error codes and template ids.

What a first call proves is one rule for all vendors. The vendor's own well-formed no (its error document, with HTTP 2xx
or 4xx) proves that nobody was texted, whether our tables know the code or not. Nobody knows what became of a text after
a time-out, a reset, an HTTP 3xx or 5xx, a body that is not in the vendor's form, or a code that tells of an internal
error of the vendor. A repetition proves less: `sms_service.worker.decisions`.
"""

import enum
import itertools
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from structlog import get_logger

from chassis.mobiles import Mobile
from sms_service import metrics
from sms_service.codes.purposes import Language, Notice, Purpose
from sms_service.codes.templates import Templates

log = get_logger(__name__)
UNKNOWN = "unknown"
_LOGGABLE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_SUCCESS_WORDS = frozenset({"ok", "success", "accepted"})  # No error code of any vendor.
_ACCOUNT_STATUSES = frozenset({401, 402, 403})  # RFC 9110 15.5: of the caller, not of the recipient.
_MOST_NAMED_CODES = 20


class Outcome(enum.StrEnum):
    """What an answer means for the worker; one set of outcomes for all providers."""

    ACCEPTED = "accepted"
    REFUSED_RECIPIENT = "refused_recipient"  # Bad number, blacklist, opt-out, region.
    REFUSED_LIMIT = "refused_limit"  # The provider's limit for this number; it protects the recipient.
    REFUSED_CONFIG = "refused_config"  # Credentials, balance, sign, template, address list, clock.
    REFUSED_BUSY = "refused_busy"  # Throttled: certainly not sent.
    REFUSED_UNLISTED = "refused_unlisted"  # A plain no for a reason that no table has: certainly not sent.
    NOT_SENT = "not_sent"  # The request did not leave this machine: DNS, connect, TLS.
    UNCERTAIN = "uncertain"  # Nobody knows: read time-out, reset, 5xx, an unreadable body.

    @property
    def is_refusal(self) -> bool:
        """Say whether certainly nobody was texted."""
        return self not in (Outcome.ACCEPTED, Outcome.UNCERTAIN)

    @property
    def lets_others_try(self) -> bool:
        """Say whether another provider may succeed. A refused recipient would be refused there too."""
        return self in (
            Outcome.REFUSED_CONFIG,
            Outcome.REFUSED_BUSY,
            Outcome.REFUSED_UNLISTED,
            Outcome.NOT_SENT,
        )


@dataclass(frozen=True)
class ProviderAnswer:
    """One answer: its outcome, the provider's own code for logs and metrics, and its message id if it accepted.

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
    code. After ``left_seconds`` the code expires, and the text is useless.
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
        """The parameters of vendors' templates, in this order; a notice has none."""
        return {"code": self.code, "minutes": str(self.valid_minutes)} if self.code else {}


class ProviderUnusable(Exception):
    """A provider cannot be made; the message names what it lacks."""


class Provider(Protocol):
    """One provider. Threads share the object."""

    name: str

    def send_text(self, sms: OutgoingSms) -> ProviderAnswer:
        """Hand a text over, within 8 seconds. Failures are answers, not exceptions."""

    def supports(self, purpose: Purpose | Notice) -> bool:
        """Say whether the provider can send such a text; every provider can send every code."""

    def repeats_safely(self, *, first_sent_at: datetime, at: datetime) -> bool:
        """Say whether a job that is sent again at that time texts the user at most once in all."""

    def close_connections(self) -> None:
        """Close the connections to the vendor."""


class TemplateIds:
    """A template id for every purpose and language, looked up once; notices may have none.

    Raises:
        ProviderUnusable: the file of templates has none for some purposes; the message names them.
    """

    def __init__(self, templates: Templates, provider: str) -> None:
        ids = {key: templates.find_template(provider, *key) for key in itertools.product((*Purpose, *Notice), Language)}
        self._ids = {key: template_id for key, template_id in ids.items() if template_id is not None}
        if missing := sorted(purpose.value for purpose in Purpose if not self.has_template(purpose)):
            raise ProviderUnusable(f"{provider} has no template id for {', '.join(missing)} (SMS_TEMPLATES_FILE)")

    def has_template(self, purpose: Purpose | Notice) -> bool:
        """Say whether there is an id; one in any language stands for all."""
        return (purpose, Language.ZH) in self._ids

    def id_for(self, sms: OutgoingSms) -> str:
        """Return the id for a text."""
        return self._ids[sms.purpose, sms.language]


class ErrorCodeTable:
    """The codes of one vendor by outcome: whole codes first, then beginnings of codes, the longest one first.

    ``form`` is a regular expression of all the vendor's codes. An answer gets a code of the table, a beginning with a
    ``*``, one of the first 20 unlisted codes, or ``unknown``. So the number of values of the metric's label is bounded,
    whatever a vendor sends. The log has the vendor's own code.
    """

    def __init__(
        self,
        provider: str,
        exact: Mapping[Outcome, Iterable[str]],
        prefixes: Mapping[Outcome, Iterable[str]] | None = None,
        *,
        form: str = _LOGGABLE.pattern,
    ) -> None:
        self._provider = provider
        self._form = re.compile(form)
        self._named_codes: set[str] = set()
        self._lock = threading.Lock()
        self._exact = _by_code(exact)
        self._prefixes = dict(sorted(_by_code(prefixes or {}).items(), key=lambda entry: -len(entry[0])))

    def classify(
        self, code: str, *, http_status: int = 200, is_error: bool = True, message_id: str = ""
    ) -> ProviderAnswer:
        """Make the answer that a code means.

        An unlisted code is a plain no, if it has the form of the vendor's codes and stands in an error document
        (``is_error``): of the account with HTTP 401, 402 and 403, else for an unknown reason. If not, nobody knows.
        Unlisted codes are logged and counted.
        """
        if code in self._exact:
            return ProviderAnswer(self._exact[code], code, message_id)
        prefix = next((prefix for prefix in self._prefixes if code.startswith(prefix)), None)
        if prefix:
            outcome, label = self._prefixes[prefix], f"{prefix}*"
        else:
            outcome, label = self._judge_unlisted(code, http_status=http_status, is_error=is_error), self._name(code)
            metrics.UNKNOWN_CODES.labels(self._provider).inc()
        log.warning("provider_code_unlisted", provider=self._provider, answered=for_logs(code), outcome=outcome.value)
        return ProviderAnswer(outcome, label, message_id)

    def _judge_unlisted(self, code: str, *, http_status: int, is_error: bool) -> Outcome:
        if not (is_error and self._form.fullmatch(code)) or code.casefold() in _SUCCESS_WORDS:
            return Outcome.UNCERTAIN
        return Outcome.REFUSED_CONFIG if http_status in _ACCOUNT_STATUSES else Outcome.REFUSED_UNLISTED

    def _name(self, code: str) -> str:
        if not (self._form.fullmatch(code) and _LOGGABLE.fullmatch(code)):
            return UNKNOWN
        with self._lock:
            if len(self._named_codes) < _MOST_NAMED_CODES:
                self._named_codes.add(code)
            return code if code in self._named_codes else UNKNOWN


def for_logs(code: str) -> str:
    """Return a vendor's code if it looks like one, so that no text of a vendor stands in a log."""
    return code if _LOGGABLE.fullmatch(code) else "garbled"


def _by_code(codes_by_outcome: Mapping[Outcome, Iterable[str]]) -> dict[str, Outcome]:
    pairs = [(code, outcome) for outcome, codes in codes_by_outcome.items() for code in codes]
    outcomes = dict(pairs)
    if len(outcomes) < len(pairs):
        raise ValueError("a code stands in two classes")
    return outcomes
