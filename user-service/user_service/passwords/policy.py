"""Which passwords are accepted: long enough, not common, not about the account. No rules about kinds of characters."""

import unicodedata
from collections.abc import Iterable

from chassis.errors import FieldError, PasswordRejected
from chassis.mobiles import Mobile
from user_service.models import User
from user_service.passwords.common_passwords import folded, load_common_passwords
from user_service.passwords.hashing import is_keyed, normalise_password

SHORTEST, LONGEST = 8, 128
# Names of this product and of the course's product, and their subject.
PRODUCT_WORDS = ("xinjing", "xjzx", "新经资讯", "新经", "资讯", "information")
# The last eight digits still identify a mobile; fewer digits may be of any number.
_MOBILE_DIGITS = 8
_SHORTEST_NICK_NAME = 2


class PasswordPolicy:
    """Checks new passwords; once it has the list of common passwords, it does no input or output."""

    def __init__(self) -> None:
        self._common = load_common_passwords()

    def check(self, password: str, *, mobile: Mobile, nick_name: str | None = None) -> None:
        """Accept a password for the account of this mobile and nick name (None if there is none yet).

        Raises:
            PasswordRejected: ``errors`` says why, by the codes too_short, too_long, common, is_mobile, is_nick_name
                and context (a name of the product).
        """
        password = normalise_password(password)
        bare = _bare(password)
        nick_names = [name for name in [_bare(nick_name or "")] if len(name) >= _SHORTEST_NICK_NAME]
        reasons = {
            "too_short": len(password) < SHORTEST,
            "too_long": len(password) > LONGEST,
            "common": password in self._common or len(set(password)) == 1,
            "is_mobile": _consists_of([mobile[-_MOBILE_DIGITS:]], bare),
            "is_nick_name": _consists_of(nick_names, bare),
            "context": _consists_of(PRODUCT_WORDS, bare),
        }
        wrong = [FieldError("password", code, _TEXTS[code]) for code, applies in reasons.items() if applies]
        if wrong:
            raise PasswordRejected(errors=wrong)

    def must_be_reset(self, user: User, password: str) -> bool:
        """Say whether an account's password proves nothing until it is reset, even if it is right.

        An administrator or an import demanded the reset; or the hash was imported, so nobody has checked yet whether
        the password could be chosen here. Call it only after the password was found right, or for a text of the user.
        """
        if user.must_reset_password or is_keyed(user.password_hash):
            return user.must_reset_password
        try:
            self.check(password, mobile=Mobile(user.mobile), nick_name=user.nick_name)
        except PasswordRejected:
            return True
        return False


_TEXTS = {
    "too_short": f"Use at least {SHORTEST} characters.",
    "too_long": f"Use at most {LONGEST} characters.",
    "common": "This password is among the most common ones.",
    "is_mobile": "The password must not be the mobile number, nor that and little more.",
    "is_nick_name": "The password must not be the nick name, nor that and little more.",
    "context": "The password must not be a name of this site, nor that and little more.",
}


def _bare(text: str) -> str:
    """Return the letters without case and the digits, those of every script as 0 to 9; drop all else."""
    return "".join(str(unicodedata.decimal(sign, sign)) for sign in folded(text) if sign.isalnum())


def _consists_of(words: Iterable[str], bare: str) -> bool:
    """Say whether some words make up half of a password or more, or all of it except digits."""
    rest = bare
    for word in words:
        rest = rest.replace(word, "")
    is_all_but_digits = rest.isdecimal() and not bare.isdecimal()
    return rest != bare and (2 * len(rest) <= len(bare) or is_all_but_digits)
