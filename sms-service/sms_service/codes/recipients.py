"""Whom we text: mobiles of the allowed countries, and test numbers, which never get a text; and in which language."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from structlog import get_logger

from chassis.errors import MobileInvalid
from chassis.mobiles import Mobile, country_of, mask_mobile, parse_mobile
from sms_service.codes.limit_settings import FixedCode
from sms_service.codes.purposes import Language

log = get_logger(__name__)
_CHINESE = frozenset({"CN", "HK", "MO", "TW"})


def utc_today() -> date:
    """Return the day by which test numbers end."""
    return datetime.now(UTC).date()


@dataclass(frozen=True)
class Recipient:
    """A mobile that may have a code; with a ``fixed_code`` it is a test number, and is not texted."""

    mobile: Mobile
    country: str
    fixed_code: str | None = None

    def choose_language(self, accepted: Iterable[tuple[str, float]]) -> Language:
        """Choose the first language of Accept-Language (tags with their quality) that we have, else the country's."""
        accepted_languages = (tag.partition("-")[0].lower() for tag, quality in accepted if quality > 0)
        default = Language.ZH if self.country in _CHINESE else Language.EN
        return next((Language(language) for language in accepted_languages if language in set(Language)), default)


class Recipients:
    """Decides which mobiles may have a code. Each request checks whether the last day of a test number is over."""

    def __init__(
        self, countries: Iterable[str], tests: Iterable[FixedCode], *, today: Callable[[], date] = utc_today
    ) -> None:
        self._countries = frozenset(countries)
        self._tests = {test.mobile: test for test in tests}
        self._today = today
        outdated = [mask_mobile(test.mobile) for test in self._tests.values() if self._is_over(test)]
        if outdated:
            log.warning(
                "test_mobiles_outdated", mobiles=outdated, hint="they get no codes until SMS_TEST_MOBILES changes"
            )

    def parse_recipient(self, text: str) -> Recipient:
        """Read a mobile in any usual spelling, and decide whether we text it.

        Raises:
            MobileInvalid: no mobile, of a country that we do not text, or a test number whose last day is over.
        """
        mobile = parse_mobile(text)
        country, test = country_of(mobile), self._tests.get(mobile)
        if test is None and country in self._countries:
            return Recipient(mobile, country)
        if test is None or self._is_over(test):
            raise MobileInvalid
        return Recipient(mobile, country, test.code)

    def _is_over(self, test: FixedCode) -> bool:
        return self._today() > test.last_day
