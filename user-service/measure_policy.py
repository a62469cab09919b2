"""Measures the password policy: ``python user-service/measure_policy.py LIST…``, lists of common passwords, one a line.

For each list it prints which share of the entries that are long enough is refused, of the first hundred and of the
rest; then which of 1,000 good passwords are refused, which are drawn here from a seed, and how long a check takes.
"""

import random
import string
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click

from chassis.errors import PasswordRejected
from chassis.mobiles import Mobile
from user_service.passwords.policy import SHORTEST, PasswordPolicy

GOOD, SEED = 1000, 14
_MOBILE = Mobile("+8613800138000")
_LETTERS_AND_DIGITS = string.ascii_letters + string.digits
_ENGLISH = str.split(
    "anvil biscuit canyon dagger eclipse fjord glacier hammock igloo juniper kettle lantern meadow nectar orchard "
    "pebble quarry raven saddle thicket umbrella velvet walrus yogurt zeppelin acorn barley cobalt donkey ember "
    "ferret goblet harbor ivory jigsaw kayak lobster mitten nutmeg oyster parsnip quilt rhubarb sparrow turnip "
    "urchin vinegar wicker yonder zipper almond bonnet clover dolphin easel falcon gravel hazel"
)
_HANZI = str.split(
    "蜥蜴 榴莲 陨石 蒲公英 琥珀 搪瓷 鹦鹉 珊瑚 灯塔 藤椅 泡菜 磁铁 橡树 海豹 沙漏 铜锣 蜂巢 "
    "芦苇 滑翔 皮划艇 驯鹿 罗盘 瓦罐 风筝"
)
# Syllables of pinyin: an initial and a final that go together.
_SYLLABLES = [
    *(initial + final for initial in ("d", "t", "n", "l") for final in str.split("ai ang ao eng iao ing ong uan")),
    *(initial + final for initial in ("zh", "ch", "sh") for final in str.split("ai ang ao en ou u uan ui uo")),
    *(initial + final for initial in ("j", "q", "x") for final in str.split("ia ian iang iao ing iong uan ue un")),
]


def _join(draw: random.Random, words: list[str], count: int, separator: str) -> str:
    return separator.join(draw.sample(words, count))


def _letters(draw: random.Random, signs: str, count: int) -> str:
    return "".join(draw.choices(signs, k=count))


def _sentence(draw: random.Random) -> str:
    one, other, third = draw.sample(_ENGLISH, 3)
    return f"the {one} ate {draw.randint(3, 99)} {other}s behind my {third}."


# How people and programs make good passwords; each style is drawn equally often.
STYLES: dict[str, Callable[[random.Random], str]] = {
    "8 letters and digits": lambda draw: _letters(draw, _LETTERS_AND_DIGITS, 8),
    "10 small letters and digits": lambda draw: _letters(draw, string.ascii_lowercase + string.digits, 10),
    "12 characters": lambda draw: _letters(draw, _LETTERS_AND_DIGITS + string.punctuation, 12),
    "20 characters in three groups": lambda draw: "-".join(_letters(draw, _LETTERS_AND_DIGITS, 6) for _ in range(3)),
    "4 English words": lambda draw: _join(draw, _ENGLISH, 4, " "),
    "3 English words and a number": lambda draw: _join(draw, _ENGLISH, 3, "").title() + str(draw.randint(10, 99)),
    "3 unusual words in pinyin": lambda draw: "".join(draw.choices(_SYLLABLES, k=6)),
    "4 unusual words in pinyin": lambda draw: "-".join("".join(draw.choices(_SYLLABLES, k=2)) for _ in range(4)),
    "4 words in Chinese characters": lambda draw: _join(draw, _HANZI, 4, ""),
    "a sentence": _sentence,
}


def good_passwords(seed: int = SEED) -> Iterator[str]:
    """Draw 1,000 passwords that must be accepted, of all styles by turns."""
    draw = random.Random(seed)  # noqa: S311 - the same ones each time are wanted.
    styles = list(STYLES.values())
    for number in range(GOOD):
        yield styles[number % len(styles)](draw)


def refused(policy: PasswordPolicy, passwords: Iterable[str]) -> list[str]:
    """Return those that the policy refuses, for an account that has no nick name."""
    return [password for password in passwords if _is_refused(policy, password)]


def _is_refused(policy: PasswordPolicy, password: str) -> bool:
    try:
        policy.check(password, mobile=_MOBILE)
    except PasswordRejected:
        return True
    return False


def main(paths: list[str]) -> None:
    """Print the shares of the lists and of the good passwords."""
    policy = PasswordPolicy()
    for path in paths:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        long_enough = [line for line in lines if len(line) >= SHORTEST]
        for name, part in (("first 100", long_enough[:100]), ("the rest", long_enough[100:])):
            count = len(refused(policy, part))
            click.echo(f"{path}, {name}: {count} of {len(part)} refused, {count / max(len(part), 1):.1%}")
    good, began = list(good_passwords()), time.perf_counter()
    wrong = refused(policy, good)
    milliseconds = 1000 * (time.perf_counter() - began) / len(good)
    click.echo(f"good passwords: {len(wrong)} of {len(good)} refused {wrong}; {milliseconds:.1f} ms each")


if __name__ == "__main__":
    main(sys.argv[1:])
