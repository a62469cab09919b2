"""Draws a text as a two-colour picture that people read and programs mostly do not.

Letters are outlines that overlap, and all parts of a picture, letters and patches, exchange the two colours of what
they cover. People follow each outline and see letters; programs see a net of strokes. An atlas holds the parts as whole
numbers, so drawing is a few shifts and XORs. A program that was trained on such pictures reads them nevertheless; the
limits are the real defence. Pictures for classic frontends are too small for that, and programs read them.
"""

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import shake_128
from itertools import pairwise
from typing import TypeVar

from PIL import Image

from captcha_service.atlas import Atlas
from captcha_service.bitmaps import Canvas, Shape, encode_png
from captcha_service.style import Style

_Part = TypeVar("_Part")
_Place = tuple[Shape, int, int]  # A shape, and the x and y of its upper left corner in pixels of scale 1.
_CLASSIC_SCALE = 2
_CLASSIC_QUALITY = 90  # With less, grey specks stand around the letters.


@dataclass(frozen=True)
class Picture:
    """An encoded picture."""

    content: bytes
    media_type: str


class _RandomNumbers:
    """Random numbers that follow from a seed: 128 of them, far more than the longest text takes."""

    def __init__(self, seed: int) -> None:
        self._numbers: Iterator[int] = iter(struct.unpack(">128H", shake_128(seed.to_bytes(32, "big")).digest(256)))

    def below(self, count: int) -> int:
        return next(self._numbers) * count >> 16

    def between(self, least: int, most: int) -> int:
        return least + (next(self._numbers) * (most - least + 1) >> 16)

    def one_of(self, parts: Sequence[_Part]) -> _Part:
        return parts[next(self._numbers) * len(parts) >> 16]


def draw(text: str, *, atlas: Atlas, seed: int, scale: int = 1) -> Picture:
    """Draw a text of the atlas's characters as PNG; ``scale`` 2 is the same picture in twice the pixels each way.

    The same arguments give the same bytes; ``seed`` is below 2^256.
    """
    canvas, numbers = Canvas.of_style(atlas.style, scale), _RandomNumbers(seed)
    rows = _rows(text, atlas, numbers, canvas)
    return Picture(encode_png(rows, canvas=canvas, palette=_palette(atlas.style, numbers)), "image/png")


def draw_classic(text: str, *, atlas: Atlas, seed: int) -> Picture:
    """Draw a text as the JPEG that classic frontends expect; arguments as in `draw`.

    They show it at the style's size and cannot say what their screen is like. So it always has twice the pixels each
    way, which dense screens show one by one and others halve.
    """
    canvas, numbers = Canvas.of_style(atlas.style, _CLASSIC_SCALE), _RandomNumbers(seed)
    rows = _rows(text, atlas, numbers, canvas)
    # Pillow gets the rows from the second byte on, so that each begins after its filter byte.
    size, packing = (canvas.width_px, canvas.height_px), f"P;{canvas.bits_per_pixel}"
    picture = Image.frombytes("P", size, rows[1:] + b"\0", "raw", packing, canvas.row_bytes)
    picture.putpalette(_palette(atlas.style, numbers))
    encoded = io.BytesIO()
    picture.convert("RGB").save(encoded, "JPEG", quality=_CLASSIC_QUALITY, subsampling="4:4:4")
    return Picture(encoded.getvalue(), "image/jpeg")


def _rows(text: str, atlas: Atlas, numbers: _RandomNumbers, canvas: Canvas) -> bytes:
    style = atlas.style
    line = _line([numbers.one_of(atlas.glyphs[character]) for character in text], style, numbers)
    last, last_x, _ = line[-1]
    span = line[0][1], last_x + last.width_px
    picture = 0
    for shape, x, y in line:
        picture ^= shape.placed_at(x, y, canvas)
    for shape, x, y in _along(span, [numbers.one_of(atlas.patches) for _ in range(style.patches)], style, numbers):
        picture ^= shape.placed_at(x, y, canvas)
    return canvas.rows(picture)


def _line(glyphs: list[Shape], style: Style, numbers: _RandomNumbers) -> list[_Place]:
    """Set glyphs along a line; a text that is too long for the picture is pushed together.

    As all are about as wide, it is their middles that stand in order.
    """
    least, most = (round(1000 * share) for share in style.advance_share)
    steps = [(one.width_px + other.width_px) * numbers.between(least, most) // 2000 for one, other in pairwise(glyphs)]
    room = style.width_px - 2 * style.margin_px - (glyphs[0].width_px + glyphs[-1].width_px) // 2
    if sum(steps) > room:
        steps = [step * room // sum(steps) for step in steps]
    free = room - sum(steps)
    middle_x = style.margin_px + glyphs[0].width_px // 2 + free // 4 + numbers.below(free // 2 + 1)
    level = numbers.below(1000)  # From the highest to the lowest, after which comes the highest again.
    apart = round(1000 * style.apart_share)
    places = []
    for glyph, step in zip(glyphs, [*steps, 0], strict=True):
        centred_y = (style.height_px - glyph.height_px) // 2
        jump = min(style.jump_px, centred_y)
        places.append((glyph, middle_x - glyph.width_px // 2, centred_y - jump + 2 * jump * level // 1000))
        middle_x += step
        level = (level + numbers.between(apart, 1000 - apart)) % 1000
    return places


def _along(span: tuple[int, int], patches: list[Shape], style: Style, numbers: _RandomNumbers) -> Iterator[_Place]:
    """Spread patches over a text from its left to its right end."""
    left, right = span
    for number, patch in enumerate(patches):
        slot = (right - left) // len(patches)
        middle_x = left + slot * number + slot // 2 + numbers.between(-(slot // 3), slot // 3)
        middle_y = style.height_px // 2 + numbers.between(-style.rise_px, style.rise_px)
        x = min(max(middle_x - patch.width_px // 2, 0), style.width_px - patch.width_px)
        y = min(max(middle_y - patch.height_px // 2, 0), style.height_px - patch.height_px)
        yield patch, x, y


def _palette(style: Style, numbers: _RandomNumbers) -> bytes:
    """Write red, green and blue of every shade from paper to ink."""
    dark = [numbers.between(*style.dark_channel) for _ in "rgb"]
    light = [numbers.between(*style.light_channel) for _ in "rgb"]
    paper, ink = (dark, light) if numbers.below(2) else (light, dark)
    most = (1 << style.bits_per_pixel) - 1
    return bytes(p + (i - p) * shade // most for shade in range(most + 1) for p, i in zip(paper, ink, strict=True))
