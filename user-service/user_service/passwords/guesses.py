"""Estimates in how many guesses a password is found by a program that tries words, dates, rows of keys and the like.

The idea is that of zxcvbn (Wheeler, USENIX Security 2016): cut a password into the parts that are guessed most easily,
and multiply their guesses. Weights and patterns are ours; ``measure_policy.py`` shows what they do. A cost is the
decadic logarithm of a number of guesses.

Known weakness: it knows no grammar, no lyrics and no person, and sees no pattern that is longer than a window.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from math import comb, inf, log10
from typing import Literal

from user_service.passwords.common_passwords import CommonPasswords, folded
from user_service.passwords.patterns import dates_at, repetitions_at, runs_at

Kind = Literal["words", "date", "keyboard", "repeated", "random"]
# Each further part: the guesser must find out that there is one.
_ONE_MORE = log10(2)
_WINDOW = 32
_SHORTEST_INTERLEAVED = 6
_DIGIT, _LETTER, _SIGN, _OTHER_SCRIPT = 1.0, log10(26), 1.5, 3.0
_FREQUENT_SIGN, _FREQUENT_SIGNS = 0.8, frozenset("!@#.-_*")
_BLANK = 0.5
_SHORTEST_DISGUISED = 3  # Two letters have a meaning by chance too often, read backwards or with signs for letters.
_BACKWARDS, _INTERLEAVED, _SEPARATED, _PER_SIGN_FOR_A_LETTER = 0.3, 0.5, 0.3, 0.4
# Signs that stand for letters, among them letters of Cyrillic that look like Latin ones.
_LOOK_ALIKES = [
    str.maketrans("@4$570+3689" + "асеорхукі" + ones, "aasstotegbg" + "aceopxyki" + letter * len(ones))
    for ones, letter in (("1!|", "i"), ("1!|", "l"))
]


@dataclass(frozen=True)
class Part:
    """A part of a text that is guessed as one: its places, its cost and what it is."""

    start: int
    end: int
    cost: float
    kind: Kind


@dataclass(frozen=True)
class Estimate:
    """What it costs to find a password, and the kind of its longest part; ``random`` if no part is more than a sign."""

    cost: float
    kind: Kind


class Guesses:
    """Estimates passwords by a list of words; threads share it."""

    def __init__(self, words: CommonPasswords) -> None:
        self._words = words

    def estimate(self, password: str, *, enough: float = inf) -> Estimate:
        """Estimate a password in the spelling that was typed; stop once it is known to cost ``enough``.

        A long one costs what its hardest window costs, so that the time grows with the length alone.
        """
        # Write it twice: the first place after 0 where it stands again is its shortest period.
        period = (password + password).find(password, 1)
        if 0 < period < len(password):
            return Estimate(self.estimate(password[:period]).cost + log10(len(password) / period), "repeated")
        hardest = Estimate(0.0, "random")
        ends = (min(start + _WINDOW, len(password)) for start in range(0, len(password), _WINDOW))
        for window in dict.fromkeys(password[max(end - _WINDOW, 0) : end] for end in ends):
            estimate = _Reading(self._words).estimate(window)
            hardest = max(hardest, estimate, key=_cost)
            if hardest.cost >= enough:
                break
        return hardest


class _Reading:
    """Reads one password. It remembers the estimates of texts, because repetitions hold them again."""

    def __init__(self, words: CommonPasswords) -> None:
        self._words = words
        self._known: dict[str, Estimate] = {}

    def estimate(self, password: str) -> Estimate:
        text = _without_accents(folded(password))
        readings = chain([self._cheapest(text)], self._with_separators(text), self._interleaved(text))
        best = min(readings, key=_cost)
        return Estimate(best.cost + _cost_of_capitals(password), best.kind)

    def _with_separators(self, text: str) -> Iterator[Estimate]:
        """Read ``wo ai ni`` and ``p.a.s.s`` without what stands between."""
        bare = "".join(sign for sign in text if sign.isalnum())
        separators = [sign for sign in text if not sign.isalnum()]
        if bare and separators:
            kinds = sum(_BLANK if sign == " " else _SIGN for sign in set(separators))
            yield _with_more(self._cheapest(bare), kinds + _SEPARATED * len(separators))

    def _interleaved(self, text: str) -> Iterator[Estimate]:
        """Read ``q1w2e3r4`` as two texts by turns, if one is a row or a repetition; and half of ``abccba``."""
        if len(text) < _SHORTEST_INTERLEAVED:
            return
        one, other = self._cheapest(text[::2]), self._cheapest(text[1::2])
        if {one.kind, other.kind} & {"keyboard", "repeated"}:
            yield _with_more(one, other.cost + _INTERLEAVED)
        if text == text[::-1]:
            yield Estimate(self._cheapest(text[: (len(text) + 1) // 2]).cost + _INTERLEAVED, "repeated")

    def _cheapest(self, text: str) -> Estimate:
        if text not in self._known:
            self._known[text] = self._cut(text)
        return self._known[text]

    def _cut(self, text: str) -> Estimate:
        """Find the cheapest row of parts by dynamic programming: the cheapest way to each place, from left to right."""
        ways: list[tuple[float, tuple[Part, ...]]] = [(inf, ()) for _ in range(len(text) + 1)]
        ways[0] = (0.0, ())
        backwards = self._words_backwards(text)
        for start in range(len(text)):
            cost, parts = ways[start]
            for part in chain(self._parts_at(text, start), backwards.get(start, ())):
                total = cost + part.cost + (_ONE_MORE if start else 0.0)
                if total < ways[part.end][0]:
                    ways[part.end] = (total, (*parts, part))
        cost, parts = ways[-1]
        longest = max(parts, key=lambda part: (part.kind != "random", part.end - part.start), default=None)
        return Estimate(cost, longest.kind if longest else "random")

    def _parts_at(self, text: str, start: int) -> Iterator[Part]:
        yield Part(start, start + 1, _cost_of_sign(text[start]), "random")
        yield from self._words_at(text, start)
        for end, cost in dates_at(text, start):
            yield Part(start, end, cost, "date")
        for end, cost in runs_at(text, start):
            yield Part(start, end, cost, "keyboard")
        for end, piece, cost in repetitions_at(text, start):
            yield Part(start, end, self._cheapest(piece).cost + cost, "repeated")

    def _words_at(self, text: str, start: int) -> Iterator[Part]:
        for end, cost in self._words.words_at(text, start):
            if end - start > 1 or not text[start].isascii():
                yield Part(start, end, cost, "words")
        for look_alikes in _LOOK_ALIKES:
            letters = text.translate(look_alikes)
            if letters[start:] == text[start:]:
                continue
            for end, cost in self._words.words_at(letters, start):
                changed = sum(one != other for one, other in zip(letters[start:end], text[start:end], strict=True))
                if changed and end - start >= _SHORTEST_DISGUISED:
                    yield Part(start, end, cost + changed * _PER_SIGN_FOR_A_LETTER, "words")

    def _words_backwards(self, text: str) -> dict[int, list[Part]]:
        parts: dict[int, list[Part]] = {}
        size, mirrored = len(text), text[::-1]
        for start in range(size):
            for end, cost in self._words.words_at(mirrored, start):
                if end - start >= _SHORTEST_DISGUISED:
                    part = Part(size - end, size - start, cost + _BACKWARDS, "words")
                    parts.setdefault(part.start, []).append(part)
        return parts


def _cost(estimate: Estimate) -> float:
    return estimate.cost


def _with_more(estimate: Estimate, cost: float) -> Estimate:
    return Estimate(estimate.cost + cost, estimate.kind)


def _without_accents(text: str) -> str:
    """Drop accents and the tones of pinyin: a guesser that tries ``wo`` soon tries ``wǒ``."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))


def _cost_of_sign(sign: str) -> float:
    if sign.isdecimal():
        return _DIGIT
    if not sign.isascii():
        return _OTHER_SCRIPT
    if sign in _FREQUENT_SIGNS:
        return _FREQUENT_SIGN
    return _LETTER if sign.isalpha() else _SIGN


def _cost_of_capitals(password: str) -> float:
    """Return little for one capital at an end or capitals throughout, else the number of ways to set so many."""
    capitals, small = sum(map(str.isupper, password)), sum(map(str.islower, password))
    if not capitals:
        return 0.0
    if not small or (capitals == 1 and (password[0].isupper() or password[-1].isupper())):
        return _ONE_MORE
    return log10(sum(comb(capitals + small, some) for some in range(1, min(capitals, small) + 1)))
