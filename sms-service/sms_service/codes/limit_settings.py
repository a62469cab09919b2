"""Every limit of the SMS service: which countries it texts, how often, how often a code may be tried, at what cost.

A limit can be raised; none can be turned off.
"""

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic.dataclasses import dataclass
from pydantic_settings import BaseSettings

from chassis.errors import MobileInvalid
from chassis.mobiles import COUNTRIES, Mobile, parse_mobile
from chassis.settings import Commas, settings_config
from chassis.texts import plain

Positive = Annotated[int, Field(ge=1)]


def _check_country(country: str) -> str:
    if country not in COUNTRIES:
        raise ValueError("is not a country code of ISO 3166")
    return country


def _read_mobile(text: str) -> Mobile:
    try:
        return parse_mobile(text)
    except MobileInvalid as error:
        raise ValueError("is not a mobile") from error


@dataclass(frozen=True)
class FixedCode:
    """A test number: we never text it, and ``code`` is valid for it until the end of ``last_day`` (UTC)."""

    mobile: Annotated[Mobile, BeforeValidator(_read_mobile)]
    code: Annotated[str, Field(pattern=r"^[0-9]{6}$")]
    last_day: date


def _split_fixed_code(value: object) -> object:
    if not isinstance(value, str):
        return value
    parts = plain(value).replace(" ", "").split(":")
    if len(parts) != 3:
        raise ValueError("is not MOBILE:CODE:LAST-DAY")
    return dict(zip(("mobile", "code", "last_day"), parts, strict=True))


Countries = Annotated[Commas[Annotated[str, AfterValidator(_check_country)]], Field(min_length=1)]
Intervals = Annotated[Commas[Positive], Field(min_length=1)]
FixedCodes = Commas[Annotated[FixedCode, BeforeValidator(_split_fixed_code)]]


class LimitSettings(BaseSettings):
    """The limits; lists are written with commas.

    The numbers are those of NIST SP 800-63B-4 (3.1.3.2, 3.2.2), OWASP ASVS 5.0 (6.5, 6.6) and of comparable systems,
    which the comments name. The window of a mobile, an address or a block slides. The window of a budget is a day, an
    hour or a minute of UTC; only the day of a country is its last 24 hours.
    """

    model_config = settings_config("SMS_")

    code_ttl_seconds: int = Field(default=300, ge=60, le=600)  # ASVS 6.5.5: 10 minutes at most.
    # NIST 3.2.2: at most 100 wrong tries in a row, over all codes of a mobile. We lock the mobile's codes for a while
    # (`rest_seconds`) long before that.
    wrong_tries_per_code: int = Field(default=5, ge=1, le=5)
    wrong_tries_before_rest: int = Field(default=15, ge=1, le=100)
    rest_seconds: Positive = 3600
    wrong_tries_before_stop: int = Field(default=100, ge=1, le=100)

    # After the first text, the second, the third and all later ones, until a code was right (Supabase: 60 s).
    resend_intervals_seconds: Intervals = (60, 120, 300)
    sends_per_mobile_per_hour: Positive = 5  # mozilla/fxa: 6 and 9 a day; a Keycloak plugin: 3 an hour.
    sends_per_mobile_per_day: Positive = 10
    # An address may have more texts in an hour while few of its codes stay unused: up to half of this number, or up to
    # `unverified_percent` of what it verified, by the hour. It may have more in a day if they were used (Authgear).
    sends_per_ip_per_hour: Positive = 10
    sends_per_ip_per_day: Positive = 30
    countries_per_ip_per_day: Positive = 3  # Without a right code in that country (Authgear).
    sends_per_block_per_hour: Positive = 20  # A block: the 10,000 numbers that differ in their last four digits.
    sends_per_block_per_day: Positive = 60

    # Texts without a code to an account's owner, counted apart. A notice expires as a code does.
    notices_per_mobile_per_day: Positive = 5

    # The first country is home; only the two budgets of all texts bound its texts.
    countries: Countries = ("CN",)
    # Unused codes that any other country may have, or this share of the used ones if that is more (Authgear).
    unverified_per_country_per_hour: Positive = 3
    unverified_per_country_per_day: Positive = 20
    unverified_percent: int = Field(default=20, ge=1, le=100)
    sends_per_minute: Positive = 240  # Of all texts together.
    sends_per_day: Positive = 1000  # Bounds the bill of a day.
    # Percent of these two for those who have earned trust, and for fresh numbers from fresh networks.
    reserved_percent: int = Field(default=50, ge=0, le=90)

    # Trust of an address, a network (/24, /56) or a block: used codes minus those that nobody entered, of 24 hours.
    # How many codes may be open at a time for each one that was used, and at most (and 20 % of the used ones).
    open_codes_per_used_code: Positive = 10
    open_codes_at_most: Positive = 50
    # A country's alarm begins when, of the codes of this minute and the last, more are unused than were used and this
    # percentage of `sends_per_minute`. A network that asks for more than it has room for counts as so many codes. The
    # alarm lasts until so many seconds after the last sign, and so long a refused request is remembered.
    pumping_alarm_percent: int = Field(default=20, ge=1)
    pumping_codes_per_network: Positive = 8
    pumping_alarm_seconds: Positive = 300
    pumping_clean_requests: Positive = 5  # In a row, for blocks with room: a network without trust gets one code more.
    pumping_hold_seconds: Positive = 7  # Newcomers wait so long when an alarm begins.
    pumping_retry_seconds: Positive = 30  # The wait of who finds no room: open codes may be used by then.

    idempotency_hours: int = Field(default=24, ge=1, le=168)
    # MOBILE:CODE:LAST-DAY, as +8613800138000:123456:2026-12-31.
    test_mobiles: FixedCodes = ()
