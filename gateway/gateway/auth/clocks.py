"""How far the clocks of this gateway and of user-service are apart: fresh tokens depend on it."""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

from structlog import get_logger

from gateway.auth.verifier import CLOCK_LEEWAY_SECONDS
from gateway.metrics import CLOCK_DIFFERENCE

log = get_logger(__name__)


class UserServiceClock:
    """Remembers the difference, measured by the ``Date`` of user-service's answers (RFC 9110 6.6.1, whole seconds)."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.ahead_seconds = 0.0

    @property
    def is_apart(self) -> bool:
        """Whether the clocks are so far apart that fresh tokens are refused, or expire at once."""
        return abs(self.ahead_seconds) > CLOCK_LEEWAY_SECONDS

    def remarks(self) -> dict[str, str]:
        """Say in ``/readyz`` that the clocks are apart; who is not signed in is served all the same."""
        if not self.is_apart:
            return {}
        effect = "fresh tokens are refused" if self.ahead_seconds > 0 else "tokens expire too early"
        return {"clocks": f"The clock of user-service is {self.ahead_seconds:+.0f} s ahead: {effect}."}

    def note_date(self, date: str | None) -> None:
        """Measure by the ``Date`` of an answer that has just come; a missing or unreadable one changes nothing."""
        try:
            told = parsedate_to_datetime(date or "").timestamp()
        except ValueError:
            return
        self.ahead_seconds = told - self._clock()
        CLOCK_DIFFERENCE.set(self.ahead_seconds)
        if self.is_apart:
            log.error("clocks_differ", other="user-service", ahead_seconds=round(self.ahead_seconds))
