"""Draws a text as a two-colour picture that people read and simple scripts do not.

Every part (glyphs, the half behind a wavy border, curves) exchanges the two colours of what it covers: people complete
the letters, programs lose strokes. A trained program reads them all the same; the limits are the real defence.
"""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageChops, ImageDraw

from captcha_service.lettering import lettering
from captcha_service.style import Range, Style


@dataclass(frozen=True)
class Picture:
    """An encoded picture."""

    content: bytes
    media_type: str


def draw(text: str, *, style: Style, seed: int) -> Picture:
    """Draw a text. The same text, style and seed give the same bytes."""
    random = Random(seed)  # noqa: S311 - the caller's seed is what must be unguessable.
    mask = _bent(lettering(text, style, random), style, random)
    mask = ImageChops.difference(mask, _half(style, random))
    for _ in range(style.curves):
        mask = ImageChops.difference(mask, _curve(style, random))
    mask = mask.resize((style.width_px, style.height_px), Image.Resampling.LANCZOS)
    return Picture(_encoded(mask, style, random), style.media_type)


def _wave(height: Range, length: Range, style: Style, random: Random) -> Callable[[float], float]:
    """Make a sine wave around 0, in oversampled pixels; ``height`` and ``length`` are shares."""
    scale = style.height_px * style.oversampling
    amplitude = random.uniform(*height) * scale
    frequency = 2 * math.pi / (random.uniform(*length) * scale)
    phase = random.uniform(0, 2 * math.pi)
    return lambda x: amplitude * math.sin(frequency * x + phase)


def _bent(mask: Image.Image, style: Style, random: Random) -> Image.Image:
    """Shift narrow columns up and down along a wave."""
    wave = _wave(style.bend_share, style.bend_length_share, style, random)
    width, height = mask.size
    step = 4 * style.oversampling
    columns = []
    for left in range(0, width, step):
        right = min(left + step, width)
        up, down = wave(left), wave(right)
        columns.append(((left, 0, right, height), (left, up, left, height + up, right, height + down, right, down)))
    return mask.transform(mask.size, Image.Transform.MESH, columns, Image.Resampling.BICUBIC)


def _half(style: Style, random: Random) -> Image.Image:
    """Cover what lies below a wavy border through the middle."""
    mask, line = _line(style, style.border_share, random)
    width, height = mask.size
    ImageDraw.Draw(mask).polygon([*line, (width, height), (0, height)], fill=255)
    return mask


def _curve(style: Style, random: Random) -> Image.Image:
    mask, line = _line(style, style.curve_share, random)
    thickness_px = random.uniform(*style.curve_width_px) * style.oversampling
    ImageDraw.Draw(mask).line(line, fill=255, width=round(thickness_px), joint="curve")
    return mask


def _line(style: Style, height: Range, random: Random) -> tuple[Image.Image, list[tuple[float, float]]]:
    mask = Image.new("L", (style.width_px * style.oversampling, style.height_px * style.oversampling))
    wave = _wave(height, style.wave_length_share, style, random)
    middle = mask.height * random.uniform(0.4, 0.6)
    return mask, [(x, middle + wave(x)) for x in range(-4, mask.width + 5, 4)]


def _encoded(mask: Image.Image, style: Style, random: Random) -> bytes:
    dark = [random.randint(*style.dark_channel) for _ in "rgb"]
    light = [random.randint(*style.light_channel) for _ in "rgb"]
    paper, ink = random.sample((dark, light), 2)
    most = style.shades - 1
    picture = mask.point([round(value * most / 255) for value in range(256)])
    picture.putpalette(
        [round(p + (i - p) * shade / most) for shade in range(style.shades) for p, i in zip(paper, ink, strict=True)]
    )
    encoded = io.BytesIO()
    if style.media_type == "image/png":
        picture.save(encoded, "PNG", bits=4, compress_level=6)
    else:
        picture.convert("RGB").save(encoded, "JPEG", quality=style.jpeg_quality)
    return encoded.getvalue()
