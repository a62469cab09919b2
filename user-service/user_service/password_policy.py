"""Which passwords are accepted: long enough, not common, not the mobile. No rules about kinds of characters."""

import re
import unicodedata
from importlib.resources import files

from chassis.errors import FieldError, PasswordRejected
from chassis.mobiles import Mobile

SHORTEST, LONGEST = 8, 128


def normalise_password(text: str) -> str:
    """Bring equal-looking spellings to one form (NFKC, NIST SP 800-63B section 3.1.1.2); nothing is cut off."""
    return unicodedata.normalize("NFKC", text)


class PasswordPolicy:
    """Knows the common passwords; pure apart from reading their list once."""

    def __init__(self) -> None:
        listed = files("user_service").joinpath("common_passwords.txt").read_text(encoding="utf-8")
        self._common = frozenset(listed.split())

    def check(self, password: str, *, mobile: Mobile) -> None:
        """Accept a password for the account of this mobile.

        Raises:
            PasswordRejected: ``errors`` says why, by the codes too_short, too_long, common and is_mobile.
        """
        password = normalise_password(password)
        reasons = {
            "too_short": len(password) < SHORTEST,
            "too_long": len(password) > LONGEST,
            "common": password.casefold() in self._common or len(set(password)) == 1,
            "is_mobile": _is_mobile(password, mobile),
        }
        wrong = [FieldError("password", code, _TEXTS[code]) for code, applies in reasons.items() if applies]
        if wrong:
            raise PasswordRejected(errors=wrong)


_TEXTS = {
    "too_short": f"Use at least {SHORTEST} characters.",
    "too_long": f"Use at most {LONGEST} characters.",
    "common": "This password is among the most common ones.",
    "is_mobile": "The password must not be the mobile number.",
}


def _is_mobile(password: str, mobile: Mobile) -> bool:
    """Say whether a password is the mobile in some spelling: with or without country code, spaces or dashes."""
    digits = re.sub(r"[^0-9]", "", password)
    others = re.sub(r"[0-9() +.-]", "", password)
    return not others and len(digits) >= SHORTEST and mobile.endswith(digits.removeprefix("00"))
