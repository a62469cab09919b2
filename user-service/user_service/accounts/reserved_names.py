"""Names that people would take for the site itself, in every spelling that looks like them.

The comparison follows the skeletons of UTS 39 (Unicode Security Mechanisms, section 4) and goes further: marks, case
and everything between letters do not count, and digits stand for the letters that they replace in ``4dm1n``. The
look-alikes of ASCII come from Unicode's confusables.txt (``look_alikes.txt``; source and licence stand beside it).
Those of Chinese characters are chosen by eye, because Unicode lists none.

Known weakness: a name may still describe an office in words that are not listed.
"""

import re
import unicodedata
from importlib.resources import files

FILE = "look_alikes.txt"
# Nobody may have a name with one of these in it: Latin ones as a word, Chinese ones anywhere.
_WORDS = ("admin", "admins", "administrator", "sysadmin")
_PHRASES = ("管理员", "新经资讯", "已注销用户")
# As a part of a longer name they are harmless: a person may be called Li Xinjing.
_WHOLE = {
    *("xinjing", "xinjing资讯", "xinjingzixun", "xinjingnews", "xjzx", "新经", "root", "system", "moderator"),
    *("webmaster", "support", "official", "管理", "官方", "客服", "系统", "版主"),
}
_CHINESE = str.maketrans("員貟經経資訊讯菅営団客統係銷戶", "员员经经资讯讯管管团客统系销户")
_SIGNS = str.maketrans("@$!|", "asii")
_DIGITS = str.maketrans("01345789l", "oieastbgi")


def without_marks(text: str) -> str:
    """Drop accents and other marks."""
    return "".join(each for each in unicodedata.normalize("NFD", text) if unicodedata.category(each)[0] != "M")


def _load_look_alikes() -> dict[int, str]:
    lines = files("user_service.accounts").joinpath(FILE).read_text(encoding="utf-8").splitlines()
    listed = {other: line[0] for line in lines for other in line[2:]}
    # A small letter that has the shape of its capital is not listed: the Cyrillic ones of M, K, T, H, B.
    small = {other.lower(): sign for other, sign in listed.items() if len(other.lower()) == 1}
    return {ord(other): sign for other, sign in (small | listed).items()}


_LOOK_ALIKES = _load_look_alikes()


def is_reserved(name: str) -> bool:
    """Say whether people could take a nick name (in its one spelling) for the site or its staff."""
    skeleton = without_marks(name).translate(_LOOK_ALIKES).casefold().translate(_CHINESE)
    return any(_names_the_site(reading) for reading in {skeleton, skeleton.translate(_SIGNS)})


def _names_the_site(skeleton: str) -> bool:
    whole = "".join(filter(str.isalnum, skeleton))
    words = {reading for word in re.findall("[a-z0-9]+", skeleton) for reading in _readings(word)}
    return any(
        (
            any(phrase in whole for phrase in _PHRASES),
            not words.isdisjoint(map(_read_digits, _WORDS)),
            not _readings(whole).isdisjoint(map(_read_digits, (*_WORDS, *_WHOLE))),
        )
    )


def _readings(word: str) -> set[str]:
    """Read a word with and without the digits at its ends: ``4dmin``, ``admin2024``."""
    digits = "0123456789"
    return {_read_digits(form) for form in (word, word.strip(digits), word.lstrip(digits), word.rstrip(digits))}


def _read_digits(word: str) -> str:
    return word.translate(_DIGITS).replace("rn", "m").replace("vv", "w")
