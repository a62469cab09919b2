"""What captchas ask for: a text to be copied, or the result of a small sum.

Only the answer of a sum is stored. The question follows from it and the captcha's seed, so that picture and sound ask
the same, every time. Only digits appear that do not look alike when warped, with ``+``, ``-``, ``×`` and ``=``.

How guessable they are: 95 answers from 0 to 99 are equally likely, so a blind guess is right once in 95 times; there
are 46,656 texts. A program that reads the sign alone is right once in about 60 times for ``+`` and ``-`` and once in 14
for ``×``. Sums are easier for people, and never the safer choice.
"""

import enum
import re
import secrets
from random import Random

CHARACTERS = "34679+-×="
_DIGITS = (3, 4, 6, 7, 9)
_NUMBERS = frozenset(_DIGITS) | {10 * tens + ones for tens in _DIGITS for ones in _DIGITS}
_LIMIT = 100
_RESULT = re.compile(r"[0-9]{1,2}")  # Texts are longer.


class Content(enum.StrEnum):
    """The two kinds of questions."""

    TEXT = "text"
    ARITHMETIC = "arithmetic"


def new_result() -> str:
    """Choose the result of a sum; all possible results are equally likely."""
    while True:
        result = secrets.randbelow(_LIMIT)
        if _sums(result):
            return str(result)


def question_for(answer: str, *, seed: int) -> str:
    """Write what a captcha asks, such as ``97-4=`` for the answer 93; the answer itself if it is a text to be copied.

    The same answer and seed give the same question. The answer, not a setting, says what kind of captcha it is, because
    captchas outlive a change of the setting.
    """
    by_sign = _sums(int(answer)) if _RESULT.fullmatch(answer) else []
    if not by_sign:
        return answer
    random = Random(f"question {seed}")  # noqa: S311 - only the caller's seed must be unguessable.
    return random.choice(random.choice(by_sign)) + "="


def _sums(result: int) -> list[list[str]]:
    """List the sums of a number up to two digits and one of a single digit that come to a result, by their signs."""
    plus = [f"{result - digit}+{digit}" for digit in _DIGITS if result - digit in _NUMBERS]
    minus = [f"{result + digit}-{digit}" for digit in _DIGITS if result + digit in _NUMBERS]
    times = [f"{result // digit}×{digit}" for digit in _DIGITS if result in {digit * other for other in _DIGITS}]
    return [sums for sums in (plus, minus, times) if sums]
