"""What a vendor's codes mean, and what to do with those that nobody has written down."""

import re
from collections.abc import Iterable, Mapping

from structlog import get_logger

from sms_service import metrics
from sms_service.providers.outcomes import Outcome, ProviderAnswer

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
