"""Draws the parts of pictures: characters, as outlines in one of several fonts, bent and turned; and patches."""

import math
from collections.abc import Callable
from importlib import resources
from random import Random

from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from captcha_service.bitmaps import OVERSAMPLING
from captcha_service.style import Style

# Bold, so that an outline encloses something, and without serifs, which help programs.
_FONTS = (
    "Cantarell-ExtraBold.otf",
    "Dosis-ExtraBold.otf",
    "Karla-ExtraBold.otf",
    "OpenSans-ExtraBold.ttf",
    "Play-Bold.ttf",
    "Quicksand-Bold.ttf",
)
_CORNERS = 72  # Of a patch.
_HIGHEST_SHARE = 0.85  # Of the picture; a higher letter is made lower.
_TYPED = {"-": "\N{MINUS SIGN}"}  # The hyphen of a keyboard is too short to be seen.


class Font:
    """A font, whose sizes are the heights of its capitals."""

    def __init__(self, name: str) -> None:
        with resources.as_file(resources.files("captcha_service") / "fonts" / name) as path:
            self._font = ImageFont.truetype(path, 400)
        _, top, _, bottom = self._font.getbbox("H")
        self._cap_height_share = (bottom - top) / 400

    def write(self, character: str, *, cap_height_px: float) -> Image.Image:
        """Draw a character as a mask (255 is ink) that is just as large as its ink."""
        font = self._font.font_variant(size=cap_height_px / self._cap_height_share)
        left, top, right, bottom = (round(edge) for edge in font.getbbox(character))
        mask = Image.new("L", (right - left, bottom - top))
        ImageDraw.Draw(mask).text((-left, -top), character, fill=255, font=font)
        return mask


def all_fonts() -> list[Font]:
    """Read the fonts."""
    return [Font(name) for name in _FONTS]


def letter(character: str, font: Font, style: Style, random: Random) -> Image.Image:
    """Draw one variant of a character as an oversampled mask: its outline, or filled, as the style has it."""
    cap_height_px = random.uniform(*style.cap_height_px) * OVERSAMPLING
    mask = font.write(_TYPED.get(character, character), cap_height_px=cap_height_px)
    width = round((random.uniform(*style.glyph_width_px) - (style.outline_px or 0)) * OVERSAMPLING)
    mask = mask.resize((width, mask.height))
    mask = _skewed(_bent(mask, style, random), style, random)
    angle = random.uniform(-style.rotation_degrees, style.rotation_degrees)
    mask = mask.rotate(angle, Image.Resampling.BILINEAR, expand=True)
    mask = mask.crop(mask.getbbox())
    # Turned, it is wider and higher than it was.
    mask = mask.resize((width, min(mask.height, round(style.height_px * OVERSAMPLING * _HIGHEST_SHARE))))
    if style.outline_px is not None:
        mask = _outlined(mask, style.outline_px)
    return mask.crop(mask.getbbox())


def patch(style: Style, random: Random) -> Image.Image:
    """Draw a round area with a wavy edge as an oversampled mask."""
    radius = random.uniform(*style.patch_radius_px) * OVERSAMPLING
    swells = [(count, random.uniform(*style.patch_swell_share), random.uniform(0, 2 * math.pi)) for count in (2, 3)]
    edge = []
    for corner in range(_CORNERS):
        angle = 2 * math.pi * corner / _CORNERS
        reach = radius * (1 + sum(share * math.sin(count * angle + phase) for count, share, phase in swells))
        edge.append((1.5 * radius + reach * math.cos(angle), 1.5 * radius + reach * math.sin(angle)))
    mask = Image.new("L", (round(3 * radius), round(3 * radius)))
    ImageDraw.Draw(mask).polygon(edge, fill=255)
    return mask.crop(mask.getbbox())


def wave(height_px: float, length_px: float, random: Random) -> Callable[[float], float]:
    """Make a sine wave around 0 with a random phase."""
    frequency, phase = 2 * math.pi / length_px, random.uniform(0, 2 * math.pi)
    return lambda x: height_px * math.sin(frequency * x + phase)


def _bent(mask: Image.Image, style: Style, random: Random) -> Image.Image:
    """Shift narrow columns up and down along a wave."""
    height_px = random.uniform(*style.wave_height_share) * mask.height
    line = wave(height_px, random.uniform(*style.wave_length_share) * mask.height, random)
    room, step = math.ceil(height_px), 2 * OVERSAMPLING
    width, bottom = mask.width, mask.height + 2 * room
    columns = []
    for left in range(0, width, step):
        right = min(left + step, width)
        up, down = line(left) - room, line(right) - room
        columns.append(((left, 0, right, bottom), (left, up, left, bottom + up, right, bottom + down, right, down)))
    return mask.transform((width, bottom), Image.Transform.MESH, columns, Image.Resampling.BILINEAR)


def _skewed(mask: Image.Image, style: Style, random: Random) -> Image.Image:
    """Move the four corners inwards, each by its own amount."""
    width, height = mask.size

    def outside(x: int, y: int) -> tuple[float, float]:
        # The corners are looked up outside of the mask, so that nothing of it is cut off.
        across, down = (random.uniform(0, style.corner_shift_share) for _ in range(2))
        return x * width + (across if x else -across) * width, y * height + (down if y else -down) * height

    corners = outside(0, 0), outside(0, 1), outside(1, 1), outside(1, 0)
    source = tuple(coordinate for corner in corners for coordinate in corner)
    return mask.transform(mask.size, Image.Transform.QUAD, source, Image.Resampling.BILINEAR)


def _outlined(mask: Image.Image, outline_px: float) -> Image.Image:
    """Keep what is near the edge of a mask, on both of its sides.

    Blurred, an edge rises as the normal distribution does, so that the values from 16 % to 84 % lie within one standard
    deviation of it. Here that is half of the outline.
    """
    half = outline_px * OVERSAMPLING / 2
    blurred = ImageOps.expand(mask, math.ceil(3 * half)).filter(ImageFilter.GaussianBlur(half))
    return blurred.point([255 * (0.16 < value / 255 < 0.84) for value in range(256)])
