"""Mobile numbers in one spelling: E.164, as ``+8613800138000``."""

import re
from typing import NewType

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from chassis.errors import MobileInvalid
from chassis.texts import plain

Mobile = NewType("Mobile", str)
COUNTRIES = frozenset(phonenumbers.SUPPORTED_REGIONS)  # ISO 3166
_TEXTABLE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
_SPELLING = re.compile(r"(?!.{33})\(?\+?[0-9][0-9() .-]*[0-9]")


def parse_mobile(text: str, *, region: str = "CN") -> Mobile:
    """Read a mobile number in any usual spelling (``138 0013 8000``, ``+86-138-0013-8000``, ``008613800138000``).

    It is read as people see it: invisible characters do not count, and spaces, hyphens and digits may be of any kind.
    ``region`` is the country of numbers without a country code (ISO 3166).

    Raises:
        MobileInvalid: not a number, not valid in its country, not a mobile, or with an extension.
    """
    spelling = plain(text).strip(" ")
    if not _SPELLING.fullmatch(spelling):
        raise MobileInvalid
    try:
        number = phonenumbers.parse(spelling, region)
    except NumberParseException as error:
        raise MobileInvalid from error
    # The type of a number that is not valid in its country is unknown.
    if number.extension or phonenumbers.number_type(number) not in _TEXTABLE:
        raise MobileInvalid
    return Mobile(phonenumbers.format_number(number, PhoneNumberFormat.E164))


def country_of(mobile: Mobile) -> str:
    """Name the country of a mobile (ISO 3166, ``CN``); empty if its code belongs to none."""
    return phonenumbers.region_code_for_number(phonenumbers.parse(mobile)) or ""


def mask_mobile(mobile: Mobile) -> str:
    """Hide the four digits before the last four: ``+86138****0000``."""
    return f"{mobile[:-8]}****{mobile[-4:]}"
