"""Draws what lies over the text and flips its colours: patches as large as a letter, and arcs."""

import math
from random import Random

from PIL import Image, ImageDraw

from captcha_service.bitmaps import OVERSAMPLING
from captcha_service.style import Style

_CORNERS = 72


def patch(style: Style, random: Random) -> Image.Image:
    """Draw a round area with a wavy edge as an oversampled mask (255 is ink)."""
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


def arc(style: Style, random: Random) -> Image.Image:
    """Draw a part of a circle's line as an oversampled mask."""
    side = round(2 * random.uniform(*style.arc_radius_px) * OVERSAMPLING)
    begin = random.uniform(0, 360)
    mask = Image.new("L", (side + 1, side + 1))
    ImageDraw.Draw(mask).arc(
        (0, 0, side, side),
        begin,
        begin + random.uniform(*style.arc_degrees),
        fill=255,
        width=round(random.uniform(*style.arc_width_px) * OVERSAMPLING),
    )
    return mask.crop(mask.getbbox())
