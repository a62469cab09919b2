"""Nick names: unique, public, and never a mobile number."""

import re
import secrets
import unicodedata

from chassis.errors import FieldError, RequestInvalid
from chassis.texts import drop_ignorable, plain
from user_service.accounts.reserved_names import is_reserved

LONGEST = 32
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_MOBILE_LIKE = re.compile(r"[0-9]{7}")
# By number, and not by what Python calls unassigned, so that a new character or emoji is a name in every Python.
# Controls, surrogates, private use, noncharacters, marks of annotations and of spoiled text, layout and blanks of
# hieroglyphs, two more blanks, and the planes that Unicode has no plans for.
_REFUSED = re.compile(
    r"[\x00-\x1f\x7f-\x9f\ud800-\uf8ff\ufdd0-\ufdef\ufff9-\uffff\U00013430-\U0001345f\U00016fe4\U0001d159"
    r"\U0001fffe\U0001ffff\U0002fffe\U0002ffff\U0003fffe-\U0010ffff]"
)


def spelled_nick_name(text: str) -> str:
    """Return the one spelling of a nick name: nothing invisible, NFKC, single spaces, none at the ends."""
    # The empty cell of Braille is blank, and no space for Python.
    return " ".join(unicodedata.normalize("NFKC", drop_ignorable(text).replace("\u2800", " ")).split())


def checked_nick_name(text: str) -> str:
    """Return a nick name in its one spelling, if people may have it.

    Raises:
        RequestInvalid: it is empty or too long, holds characters that show nothing, looks like a mobile number, or
            could be taken for a name of the site or its staff.
    """
    name = spelled_nick_name(text)
    if not name or len(name) > LONGEST:
        raise _refused("length", f"Use 1 to {LONGEST} visible characters.")
    if _REFUSED.search(name) or all(unicodedata.category(character)[0] in "MZ" for character in name):
        raise _refused("characters", "Use visible characters only.")
    # Decimal digits of every script count, because people can read them all; what stands between them does not.
    if _MOBILE_LIKE.search(re.sub(r"[\W_]", "", plain(name))):
        raise _refused("looks_like_mobile", "A nick name must not look like a mobile number.")
    if is_reserved(name):
        raise _refused("reserved", "People could take this name for the site or its staff.")
    return name


def _refused(code: str, detail: str) -> RequestInvalid:
    return RequestInvalid(errors=[FieldError("nick_name", code, detail)])


def draw_nick_name(attempt: int) -> str:
    """Draw a name for a user who chose none. A later attempt, after a collision, draws a longer one."""
    return "用户" + "".join(secrets.choice(_ALPHABET) for _ in range(4 + attempt))
