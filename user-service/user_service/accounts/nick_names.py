"""Nick names: unique, public, and never a mobile number."""

import re
import secrets
import unicodedata

from chassis.errors import FieldError, RequestInvalid

LONGEST = 32
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_SEPARATORS = re.compile(r"[\s()+._-]")
_MOBILE_LIKE = re.compile(r"[0-9]{7}")


def checked_nick_name(text: str) -> str:
    """Return a nick name in its one spelling (NFKC, single spaces, trimmed).

    Raises:
        RequestInvalid: empty, too long, with characters that cannot be seen, or with digits like those of a mobile.
    """
    name = " ".join(unicodedata.normalize("NFKC", text).split())
    if not name or len(name) > LONGEST:
        raise _refused("length", f"Use 1 to {LONGEST} characters.")
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn") for character in name):
        raise _refused("characters", "Use visible characters only.")
    # Every kind of decimal digit counts: people read them all.
    digits = "".join(str(unicodedata.decimal(character, character)) for character in _SEPARATORS.sub("", name))
    if _MOBILE_LIKE.search(digits):
        raise _refused("looks_like_mobile", "A nick name must not look like a mobile number.")
    return name


def _refused(code: str, detail: str) -> RequestInvalid:
    return RequestInvalid(errors=[FieldError("nick_name", code, detail)])


def draw_nick_name(attempt: int) -> str:
    """Draw a name for someone who gave none; a later attempt, after a collision, draws a longer one."""
    return "用户" + "".join(secrets.choice(_ALPHABET) for _ in range(4 + attempt))
