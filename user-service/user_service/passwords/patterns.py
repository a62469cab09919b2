"""Patterns in passwords that are no words: dates, rows of keys and counts, repetitions.

Each function finds the patterns that begin at a place of a text. It yields where they end and their cost: the decadic
logarithm of the tries that find such a pattern.
"""

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from math import log10

# Year, month and day, with and without the leading zero.
_Y, _M, _D, _M1, _D1 = r"(?:19\d\d|20[0-4]\d)", "(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])", "[1-9]", "[1-9]"
_MONTH, _DAY = f"(?:{_M}|{_M1})", f"(?:{_D}|{_D1})"
_DAYS, _MONTHS, _YEARS = log10(366), log10(12), log10(60)  # Sixty years hold most birthdays of those who sign in.
# Those are 22,000 days, but a birthday is no secret: friends and leaked data of other sites know it.
_BIRTHDAY, _OTHER_FORM = 3.0, log10(2)
_DATES = [
    (re.compile(form, re.ASCII), cost)
    for form, cost in (
        (_Y + _M + _D, _BIRTHDAY),
        (rf"(?:{_M}{_D}|{_D}{_M}){_Y}", _BIRTHDAY + _OTHER_FORM),
        # Six digits of a longer number are too often a date by chance.
        (rf"(?<!\d)(?:\d\d{_M}{_D}|(?:{_M}{_D}|{_D}{_M})\d\d)(?!\d)", _BIRTHDAY + _OTHER_FORM),
        (f"{_Y}(?:{_M1}{_D}|{_M}{_D1}|{_M1}{_D1})", _BIRTHDAY + _OTHER_FORM),
        (rf"{_Y}([-./_ ]){_MONTH}\1{_DAY}", _BIRTHDAY + _OTHER_FORM),
        (rf"(?:{_MONTH}([-./_ ]){_DAY}|{_DAY}([-./_ ]){_MONTH})(?:\1|\2){_Y}", _BIRTHDAY + _OTHER_FORM),
        (f"(?:{_Y}年)?{_MONTH}月{_DAY}[日号]", _BIRTHDAY + _OTHER_FORM),
        (f"{_Y}年?{_MONTH}月?", _YEARS + _MONTHS),
        (f"{_Y}年?", _YEARS),
        (_M + _D, _DAYS),
        (_D + _M, _DAYS + _OTHER_FORM),
    )
]

# Rows of a keyboard of the United States, columns and a keypad, and the signs that count in Chinese; then what is seen
# less often: the other columns, the diagonals and the rim of a keypad.
_ROWS = (
    *("1234567890-=", "!@#$%^&*()_+", "qwertyuiop[]\\", "asdfghjkl;'", "zxcvbnm,./", "abcdefghijklmnopqrstuvwxyz"),
    *("1qaz", "2wsx", "3edc", "4rfv", "789", "456", "147", "258", "369"),
    *("零一二三四五六七八九十", "一二三四五六七八九十", "甲乙丙丁戊己庚辛壬癸", "子丑寅卯辰巳午未申酉戌亥"),
)
_OTHER_LINES = (
    *("5tgb", "6yhn", "7ujm", "8ik,", "9ol.", "0p;/", "!qaz", "@wsx", "#edc", "$rfv", "%tgb", "zse4", "xdr5", "cft6"),
    *("vgy7", "bhu8", "nji9", "mko0", "`123", "0147", "159", "357", "12369874123698741"),
)
_SHORTEST_RUN = 3
_WHOLE_ROW, _PART_OF_A_ROW = 1.0, 1.75
_EVERY_SIGN_AGAIN = [re.compile(rf"(?:(.)\1{{{times - 1}}}){{{least},}}") for times, least in ((2, 3), (3, 2), (4, 2))]


def dates_at(text: str, start: int) -> Iterator[tuple[int, float]]:
    """Find dates as they are written in China and elsewhere, with and without a century or separators."""
    for form, cost in _DATES:
        if found := form.match(text, start):
            yield found.end(), cost


@cache
def _runs() -> dict[str, float]:
    """Return every part of the lines, in both directions, and its cost."""
    runs: dict[str, float] = {}
    for line in (*_ROWS, *_OTHER_LINES):
        for row in (line, line[::-1]):
            for start in range(len(row)):
                cost = _WHOLE_ROW if line in _ROWS and start == 0 else _PART_OF_A_ROW
                for end in range(start + _SHORTEST_RUN, len(row) + 1):
                    runs[row[start:end]] = min(cost, runs.get(row[start:end], cost))
    return runs


def runs_at(text: str, start: int) -> Iterator[tuple[int, float]]:
    """Find neighbouring keys (``qwe``, ``147``) and counts (``2468``, ``zyx``)."""
    runs, end = _runs(), start + _SHORTEST_RUN
    while end <= len(text) and text[start:end] in runs:
        yield end, runs[text[start:end]]
        end += 1
    end = _end_of_count(text, start)
    if end - start >= _SHORTEST_RUN:
        yield end, _PART_OF_A_ROW if text[start].isascii() else 2 * _PART_OF_A_ROW


def _end_of_count(text: str, start: int) -> int:
    """Say where the signs end that go on in steps of 1 or 2, up or down, digits in a circle: ``1357913579``."""
    first, end = 0, start + 1
    for one, other in pairwise(text[start:]):
        step = ord(other) - ord(one)
        if one.isdecimal() and other.isdecimal():
            step = (step + 5) % 10 - 5
        first = first or step
        if step != first or abs(step) not in (1, 2):
            break
        end += 1
    return end


def repetitions_at(text: str, start: int) -> Iterator[tuple[int, str, float]]:
    """Find what stands there twice or more (``abab``, ``112233``); yield the end, what is repeated, and the cost."""
    for size in range(1, (len(text) - start) // 2 + 1):
        piece = text[start : start + size]
        end = start + size
        while text.startswith(piece, end):
            end += size
        if end > start + size and (piece + piece).find(piece, 1) == size:
            yield end, piece, log10((end - start) / size)
    for times, form in enumerate(_EVERY_SIGN_AGAIN, start=2):
        found = form.match(text, start)
        if found and len(set(found[0])) > 1:
            yield found.end(), found[0][::times], log10(times)
