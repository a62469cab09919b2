"""All that the measurement takes from captcha-service: its drawing, alphabet, fonts and comparison."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import captcha_service
from captcha_service.atlas import Atlas, make_atlas
from captcha_service.captchas import ALPHABET, CLASSIC_ALPHABET, CLASSIC_CHARACTERS, LETTERS, folded
from captcha_service.drawing import draw, draw_classic
from captcha_service.style import CLASSIC, TEXTS

FONTS = sorted((Path(captcha_service.__file__).parent / "fonts").glob("*.[ot]tf"))
# Servers draw new parts every quarter of an hour, so no figure rests on one set of them.
_ATLASES = 8
__all__ = [
    "ALPHABET",
    "CLASSIC_ALPHABET",
    "CLASSIC_CHARACTERS",
    "FONTS",
    "LETTERS",
    "Answers",
    "draw_ours",
    "draw_ours_classic",
    "folded",
]


@dataclass(frozen=True)
class Answers:
    """What an attacker knows about the answers before a picture is seen."""

    alphabet: str
    lengths: frozenset[int]


def draw_ours(text: str, seed: int) -> bytes:
    """Draw as the service does, from 64 random bits."""
    return draw(text, atlas=_atlas(seed % _ATLASES), seed=seed).content


def draw_ours_classic(text: str, seed: int) -> bytes:
    """Draw as the service does for classic frontends, from 64 random bits."""
    return draw_classic(text, atlas=_classic_atlas(seed % _ATLASES), seed=seed).content


@cache
def _atlas(number: int) -> Atlas:
    return make_atlas(ALPHABET, style=TEXTS, seed=b"strength %d" % number)


@cache
def _classic_atlas(number: int) -> Atlas:
    return make_atlas(CLASSIC_ALPHABET, style=CLASSIC, seed=b"strength %d" % number)
