"""The most used passwords, names and words, which no new password may be.

The list is ``common_passwords.zlib``, made by ``make_common_passwords.py``; source and licence stand beside it.
"""

import unicodedata
import zlib
from importlib.resources import files

FILE = "common_passwords.zlib"


def folded(text: str) -> str:
    """Bring a text to the form in which passwords and words are compared: NFKC, without case."""
    return unicodedata.normalize("NFKC", text).casefold()


class CommonPasswords:
    """About 94,000 entries in one text of 0.8 MB, a tenth of what a set takes; a look-up takes under a millisecond."""

    def __init__(self) -> None:
        self._text = b"\n" + zlib.decompress(files("user_service.passwords").joinpath(FILE).read_bytes())

    def __contains__(self, password: str) -> bool:
        """Say whether a password, in any case, is listed or a listed one over and over: ``dragondragon``."""
        text = folded(password)
        # The first place but 0 where a text is found in itself written twice is its shortest period.
        unit = text[: (text + text).find(text, 1)]
        return unit != "" and any(f"\n{word}\n".encode() in self._text for word in {text, unit})
