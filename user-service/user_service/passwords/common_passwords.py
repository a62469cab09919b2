"""The most used passwords, names and words; no new password may be one of them.

The list is ``common_passwords.zlib``, made by ``make_common_passwords.py``; source and licence stand beside it.
"""

import unicodedata
import zlib
from functools import cache
from importlib.resources import files

FILE = "common_passwords.zlib"


def folded(text: str) -> str:
    """Return the form in which passwords and words are compared: NFKC, without case."""
    return unicodedata.normalize("NFKC", text).casefold()


class CommonPasswords:
    """About 94,000 entries in one text of 0.8 MB, a tenth of a set's size; a look-up takes under a millisecond."""

    def __init__(self, text: bytes) -> None:
        self._text = b"\n" + text

    def __contains__(self, password: str) -> bool:
        """Say whether a password, in any case, is listed or repeats a listed one: ``dragondragon``."""
        text = folded(password)
        # Write the text twice: the first place after 0 where the text stands again is its shortest period.
        unit = text[: (text + text).find(text, 1)]
        return unit != "" and any(f"\n{word}\n".encode() in self._text for word in {text, unit})


@cache
def load_common_passwords() -> CommonPasswords:
    """Read the list, once per process."""
    return CommonPasswords(zlib.decompress(files("user_service.passwords").joinpath(FILE).read_bytes()))
