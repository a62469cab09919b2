"""Which passwords are accepted: long enough, not soon guessed, not about the account. No kind of sign is a must."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from chassis.errors import FieldError, PasswordRejected
from chassis.mobiles import Mobile
from user_service.models import User
from user_service.passwords.common_passwords import folded, load_common_passwords
from user_service.passwords.guesses import Guesses
from user_service.passwords.hashing import is_keyed, normalise_password

SHORTEST, LONGEST = 8, 128
# A password that is found in fewer guesses, as a decadic logarithm, is refused: three million. From a million on zxcvbn
# (Wheeler, USENIX Security 2016) takes one as safe from guessing online, by weights that are a little lower than ours.
FEWEST_GUESSES = 6.5
# Names of this product and of the course's product, and their subject.
PRODUCT_WORDS = ("xinjing", "xjzx", "新经资讯", "新经", "资讯", "information")
# The last eight digits still identify a mobile; fewer digits may be of any number.
_MOBILE_DIGITS = 8
_SHORTEST_NICK_NAME = 2
# What cannot be seen: control characters, and Default_Ignorable_Code_Point of Unicode 16 (DerivedCoreProperties.txt).
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
_BLANK_BRAILLE = "\u2800"


class PasswordPolicy:
    """Checks new passwords; once it has the list of common passwords, it does no input or output."""

    def __init__(self) -> None:
        self._common = load_common_passwords()
        self._guesses = Guesses(self._common)

    def check(self, password: str, *, mobile: Mobile, nick_name: str | None = None) -> None:
        """Accept a password for the account of this mobile and nick name (None if there is none yet).

        Invisible characters, and blanks at the ends, belong to the password but are not judged.

        Raises:
            PasswordRejected: ``errors`` says why, by the codes too_short, too_long, is_mobile, is_nick_name and context
                (a name of the product); and common (listed), words (listed ones with little more), date, keyboard (rows
                of keys, counts) or repeated, if the password is little more than that.
        """
        judged = _judged(password)
        bare = _bare(judged)
        nick_names = [name for name in [_bare(nick_name or "")] if len(name) >= _SHORTEST_NICK_NAME]
        rules = {
            "too_short": len(judged) < SHORTEST,
            "too_long": len(normalise_password(password)) > LONGEST,
            "is_mobile": _consists_of([mobile[-_MOBILE_DIGITS:]], bare),
            "is_nick_name": _consists_of(nick_names, bare),
            "context": _consists_of(PRODUCT_WORDS, bare),
        }
        codes = [code for code, is_broken in rules.items() if is_broken]
        if codes in ([], ["too_short"]):
            codes.extend(self._kinds(judged))
        if codes:
            raise PasswordRejected(errors=[FieldError("password", code, _TEXTS[code]) for code in codes])

    def _kinds(self, judged: str) -> Iterator[str]:
        estimate = self._guesses.estimate(judged, enough=FEWEST_GUESSES)
        if judged in self._common:
            yield "common"
        elif estimate.cost < FEWEST_GUESSES and estimate.kind != "random":  # Random and found soon: it is short.
            yield estimate.kind

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
    "too_short": f"Use at least {SHORTEST} characters; invisible ones, and blanks at the ends, do not count.",
    "too_long": f"Use at most {LONGEST} characters.",
    "common": "This password is among the most common ones.",
    "words": "Common words, names or numbers with little more are soon guessed; add words that have nothing in common.",
    "date": "A date with little more is soon guessed; add words that have nothing to do with it.",
    "keyboard": "A row of keys or a count with little more is soon guessed; add words.",
    "repeated": "A piece that is repeated is soon guessed; add words instead.",
    "is_mobile": "The password must not be the mobile number, nor that and little more.",
    "is_nick_name": "The password must not be the nick name, nor that and little more.",
    "context": "The password must not be a name of this site, nor that and little more.",
}


def _judged(password: str) -> str:
    """Return what a reader sees of a password."""
    return _INVISIBLE.sub("", normalise_password(password).replace(_BLANK_BRAILLE, " ")).strip()


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
