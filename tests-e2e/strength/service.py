"""All that the measurement takes from captcha-service: its drawing, alphabet, fonts and comparison."""

from pathlib import Path

import captcha_service
from captcha_service.captchas import ALPHABET, _folded
from captcha_service.drawing import draw
from captcha_service.style import PNG

CHARACTERS = 5
FONTS = sorted((Path(captcha_service.__file__).parent / "fonts").glob("*.[ot]tf"))
__all__ = ["ALPHABET", "CHARACTERS", "FONTS", "draw_ours", "folded"]


def draw_ours(text: str, seed: int) -> bytes:
    """Draw as the service does, from 64 random bits."""
    return draw(text, style=PNG, seed=seed).content


def folded(text: str) -> str:
    """Bring a text to the spelling that the service compares."""
    return _folded(text)
