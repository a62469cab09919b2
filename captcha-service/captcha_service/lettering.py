"""Turns a text into a mask of overlapping, skewed and tilted glyphs (255 = ink, in oversampled pixels)."""

from functools import cache
from importlib import resources
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageOps

from captcha_service.style import Style

_FONTS = ("DejaVuSansMono-Bold.ttf", "DejaVuSansCondensed-Bold.ttf")
_MARGIN = 0.03  # Of the width, on both sides.


def lettering(text: str, style: Style, random: Random) -> Image.Image:
    """Set a text on one line; where two glyphs overlap, the ink is taken away again."""
    width, height = style.width_px * style.oversampling, style.height_px * style.oversampling
    glyphs = [_glyph(character, style, random) for character in text]
    steps = [random.uniform(*style.advance_share) * glyph.width for glyph in glyphs[:-1]] + [0.0]
    length = sum(steps) + glyphs[-1].width
    shrink = min(1.0, width * (1 - 2 * _MARGIN) / length)
    x = random.uniform(0.25, 0.75) * (width - length * shrink)
    mask = Image.new("L", (width, height))
    for glyph, step in zip(glyphs, steps, strict=True):
        layer = Image.new("L", mask.size)
        jump = random.uniform(-style.jump_share, style.jump_share) * height
        fitting = ImageOps.scale(glyph, shrink) if shrink < 1 else glyph
        layer.paste(fitting, (round(x), round((height - fitting.height) / 2 + jump)))
        mask = ImageChops.difference(mask, layer)
        x += step * shrink
    return mask


def _glyph(character: str, style: Style, random: Random) -> Image.Image:
    size_px = round(random.uniform(*style.font_size_share) * style.height_px * style.oversampling)
    font = _font(random.choice(_FONTS), size_px)
    left, top, right, bottom = (round(edge) for edge in font.getbbox(character))
    glyph = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(glyph).text((-left, -top), character, fill=255, font=font)
    angle = random.uniform(-style.rotation_degrees, style.rotation_degrees)
    return _skewed(glyph, style, random).rotate(angle, Image.Resampling.BICUBIC, expand=True)


def _skewed(glyph: Image.Image, style: Style, random: Random) -> Image.Image:
    """Move the four corners inwards, each by its own amount."""
    width, height = glyph.size

    def outside(x: int, y: int) -> tuple[float, float]:
        # The corners are looked up outside of the glyph, so that nothing of it is cut off.
        across, down = (random.uniform(0, style.corner_shift_share) for _ in range(2))
        return x * width + (across if x else -across) * width, y * height + (down if y else -down) * height

    corners = outside(0, 0), outside(0, 1), outside(1, 1), outside(1, 0)
    source = tuple(coordinate for corner in corners for coordinate in corner)
    return glyph.transform(glyph.size, Image.Transform.QUAD, source, Image.Resampling.BICUBIC)


@cache
def _font(name: str, size_px: int) -> ImageFont.FreeTypeFont:
    with resources.as_file(resources.files("captcha_service") / "fonts" / name) as path:
        return ImageFont.truetype(path, size_px)
