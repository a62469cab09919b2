"""Recognises one letter by its nearest neighbours among letters drawn here with the repository's fonts."""

from functools import cache
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFont

from strength.service import FONTS

_SIZE = (16, 20)  # Of the normalised picture of a letter, columns × rows.
_FONT_PX = 36
_EXAMPLES = 100  # Of each character.
_NEIGHBOURS = 3
_SHARPNESS = 25.0  # Turns differences of similarity into probabilities.
Ink = NDArray[np.uint8]  # Rows × columns, 255 is ink.


class GlyphReader:
    """Nearest neighbours by cosine, among characters and among what a wrong cut gives."""

    def __init__(self, alphabet: str) -> None:
        random = Random(7)
        self._alphabet = alphabet
        cells = [_cells(character, alphabet, random) for character in alphabet for _ in range(_EXAMPLES)]
        self._known = np.stack([_normalised(good) for good, _ in cells] + [_normalised(bad) for _, bad in cells])

    def judge(self, inks: list[Ink]) -> tuple[NDArray[np.float32], list[str]]:
        """Name the likeliest character of each ink, with the logarithm of its probability."""
        cosines = np.stack([_normalised(ink) for ink in inks]) @ self._known.T
        characters, wrong = np.split(cosines, 2, axis=1)
        nearest = np.partition(characters.reshape(len(inks), len(self._alphabet), _EXAMPLES), -_NEIGHBOURS, axis=2)
        alike = nearest[:, :, -_NEIGHBOURS:].mean(axis=2)
        unlike = np.partition(wrong, -_NEIGHBOURS, axis=1)[:, -_NEIGHBOURS:].mean(axis=1)
        sums = np.exp(_SHARPNESS * np.column_stack([alike, unlike])).sum(axis=1)
        return _SHARPNESS * alike.max(axis=1) - np.log(sums), [self._alphabet[best] for best in alike.argmax(axis=1)]


@cache
def glyph_reader(alphabet: str) -> GlyphReader:
    """Draw the examples once in each process."""
    return GlyphReader(alphabet)


def _normalised(ink: Ink) -> NDArray[np.float32]:
    """Scale the inked rows and columns to one size. The proportions stay as a last feature."""
    rows, columns = np.flatnonzero(ink.max(axis=1) > 127), np.flatnonzero(ink.max(axis=0) > 127)
    if len(rows) < 2 or len(columns) < 2:
        return np.zeros(_SIZE[0] * _SIZE[1] + 1, dtype=np.float32)
    box = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scaled = np.asarray(Image.fromarray(box).resize(_SIZE, Image.Resampling.BOX), dtype=np.float32).ravel()
    scaled -= scaled.mean()
    scaled /= np.linalg.norm(scaled) + 1e-9
    features = np.append(scaled, 0.7 * np.log(box.shape[1] / box.shape[0]))
    return np.float32(features / max(np.linalg.norm(features), 1e-9))


def _cells(character: str, alphabet: str, random: Random) -> tuple[Ink, Ink]:
    """Draw a letter, with what its neighbours leave in its cell, and exchanged colours where they overlap.

    The second cell of the same line is cut wrongly: too narrow, too wide or between two letters.
    """
    mask = Image.new("L", (5 * _FONT_PX, 3 * _FONT_PX))
    letter = _letter(character, random)
    left = (mask.width - letter.width) // 2
    mask.paste(letter, (left, (mask.height - letter.height) // 2))
    for side in (-1, 1):
        other = _letter(random.choice(alphabet), random)
        advance = random.uniform(0.7, 1.1) * (letter.width if side > 0 else other.width)
        layer = Image.new("L", mask.size)
        jump = random.randint(-_FONT_PX // 8, _FONT_PX // 8)
        layer.paste(other, (round(left + side * advance), (mask.height - other.height) // 2 + jump))
        mask = ImageChops.difference(mask, layer)
    line = np.asarray(mask)

    def cell(start: float, end: float) -> Ink:
        return line[:, max(0, round(left + start * letter.width)) : round(left + end * letter.width)]

    good = cell(random.uniform(-0.04, 0.12), random.uniform(0.88, 1.04))
    bad = random.choice(((0, 0.5), (0.5, 1), (0.5, 1.5), (-0.5, 0.5), (0, 1.5), (-0.5, 1), (0, 2)))
    return good, cell(bad[0] + random.uniform(-0.15, 0.15), bad[1] + random.uniform(-0.15, 0.15))


def _letter(character: str, random: Random) -> Image.Image:
    font = ImageFont.truetype(str(random.choice(FONTS)), _FONT_PX)
    left, top, right, bottom = (round(edge) for edge in font.getbbox(character))
    mask = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(mask).text((-left, -top), character, fill=255, font=font)
    width, height = mask.size
    corners = ((0, 0), (0, height), (width, height), (width, 0))
    shifts = [(x + random.uniform(-0.1, 0.1) * width, y + random.uniform(-0.1, 0.1) * height) for x, y in corners]
    warped = mask.transform(mask.size, Image.Transform.QUAD, [c for shift in shifts for c in shift])
    turned = warped.rotate(random.uniform(-18, 18), Image.Resampling.BILINEAR, expand=True)
    return turned.crop(turned.getbbox())
