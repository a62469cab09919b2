"""Draws single characters: bent, seen in perspective and turned, each in one of several fonts."""

import math
from collections.abc import Callable
from importlib import resources
from random import Random

from PIL import Image, ImageDraw, ImageFont

from captcha_service.bitmaps import OVERSAMPLING
from captcha_service.style import Style

# Bold, and without the thin serifs that people trip over.
_FONTS = (
    "Cantarell-ExtraBold.otf",
    "DejaVuSansMono-Bold.ttf",
    "Dosis-ExtraBold.otf",
    "FantasqueSansMono-Bold.ttf",
    "Karla-ExtraBold.otf",
    "OpenSans-ExtraBold.ttf",
    "Play-Bold.ttf",
    "Quicksand-Bold.ttf",
    "RobotoSlab-Bold.otf",
)
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
    """Draw one variant of a character as an oversampled mask."""
    cap_height_px = random.uniform(*style.cap_height_px) * OVERSAMPLING
    mask = font.write(_TYPED.get(character, character), cap_height_px=cap_height_px)
    mask = mask.resize((round(mask.width * random.uniform(*style.stretch_share)), mask.height))
    mask = _skewed(_bent(mask, style, random), style, random)
    angle = random.uniform(-style.rotation_degrees, style.rotation_degrees)
    mask = mask.rotate(angle, Image.Resampling.BILINEAR, expand=True)
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
