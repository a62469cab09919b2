"""The most used passwords, names and words of English and Chinese, each with its rank.

The list is ``common_passwords.zlib``, made by ``make_common_passwords.py``; sources and licences stand beside it. A
line is the word, a blank and the letter of its rank.
"""

import re
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from math import log10

from user_service.passwords.hashing import normalise_password

FILE = "common_passwords.zlib"
_STEPS_PER_POWER = 4
_WORD_END = ord(" ")


def folded(text: str) -> str:
    """Return the form in which passwords and words are compared: NFKC, without case."""
    return normalise_password(text).casefold()


def rank_letter(rank: int) -> str:
    """Write a rank of 1 to a million as a letter: ``a`` for the first, each further one a quarter power of ten more."""
    return chr(ord("a") + round(_STEPS_PER_POWER * log10(rank)))


class CommonPasswords:
    """About 120,000 words in one text of 1.3 MB and their places, a tenth of a dict's size."""

    def __init__(self, text: bytes) -> None:
        """Take the lines, sorted by their bytes."""
        self._text = text
        self._starts = array("I", [0, *(line_end.end() for line_end in re.finditer(b"\n", text))])
        # For each first byte the first line that begins with it, to find a line in fewer steps.
        lines = len(self._starts) - 1
        self._of_byte = [
            bisect_left(self._starts, bytes([first]), 0, lines, key=self._first_bytes(1)) for first in range(256)
        ]
        self._of_byte.append(lines)

    def __contains__(self, text: str) -> bool:
        """Say whether a password, in any case, is listed."""
        word = folded(text)
        return any(end == len(word) for end, _ in self.words_at(word, 0))

    def words_at(self, text: str, start: int) -> Iterator[tuple[int, float]]:
        """Find the listed words that begin at a place of a folded text.

        Yields where each ends, and the decadic logarithm of its rank (see `rank_letter`), the shortest word first.
        """
        first_byte = text[start : start + 1].encode()[:1] or b"\0"
        first, beyond = self._of_byte[first_byte[0]], self._of_byte[first_byte[0] + 1]
        for end in range(start + 1, len(text) + 1):
            piece = text[start:end].encode()
            first = bisect_left(self._starts, piece, first, beyond, key=self._first_bytes(len(piece)))
            beyond = bisect_right(self._starts, piece, first, beyond, key=self._first_bytes(len(piece)))
            if first == beyond:
                return
            after = self._starts[first] + len(piece)
            if self._text[after] == _WORD_END:
                yield end, (self._text[after + 1] - ord("a")) / _STEPS_PER_POWER

    def _first_bytes(self, size: int) -> Callable[[int], bytes]:
        return lambda start: self._text[start : start + size]


@cache
def load_common_passwords() -> CommonPasswords:
    """Read the list, once per process."""
    return CommonPasswords(zlib.decompress(files("user_service.passwords").joinpath(FILE).read_bytes()))
