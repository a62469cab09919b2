"""All that the measurement takes from captcha-service: its drawing, alphabet, fonts and comparison."""

from functools import cache
from pathlib import Path

import captcha_service
from captcha_service.atlas import Atlas, make_atlas
from captcha_service.captchas import ALPHABET, LETTERS, folded
from captcha_service.drawing import draw
from captcha_service.style import TEXTS

FONTS = sorted((Path(captcha_service.__file__).parent / "fonts").glob("*.[ot]tf"))
# Servers draw new parts every quarter of an hour, so no figure rests on one set of them.
_ATLASES = 8
__all__ = ["ALPHABET", "FONTS", "LETTERS", "draw_ours", "folded"]


def draw_ours(text: str, seed: int) -> bytes:
    """Draw as the service does, from 64 random bits."""
    return draw(text, atlas=_atlas(seed % _ATLASES), seed=seed).content


@cache
def _atlas(number: int) -> Atlas:
    return make_atlas(ALPHABET, style=TEXTS, seed=b"strength %d" % number)
