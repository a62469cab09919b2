"""The attack of the textbooks: cut the picture into letters, and recognise each.

1. Prepare the picture, split it into paper and ink, and drop specks.
2. Judge every window of a letter's width: how much it looks like a letter, and how little ink its sides cut.
3. Of all ways to cut the inked columns into as many windows as the text has letters, keep the likeliest.
Its weakness: letters that overlap so much that no column separates them.
"""

from dataclasses import replace

import numpy as np
from PIL import Image, ImageOps
from scipy import ndimage

from strength.glyphs import Ink, glyph_reader
from strength.models import Model, ddddocr
from strength.preparations import binarised
from strength.service import Answers

_FORMS = ("untouched", "borders undone", "letters filled")
_LEAST_SPECK = 40  # Pixels.
_NARROWEST, _WIDEST = 0.45, 1.7  # A letter, as a share of the usual width.
_STEP = 3  # Columns between possible cuts.
_MOST_INK = 0.4  # Of a column's height, where a cut may go.
_ODD_WIDTH, _THROUGH_INK = 4.0, 4.0  # What these cost a window, beside the logarithm of its letter's probability.
Window = tuple[int, int]  # Columns from, to.
Scores = dict[Window, tuple[float, str]]


class Segmentation:
    """Cuts, and recognises by nearest neighbours; the letters it cut out also go to a neural reader."""

    def __init__(self) -> None:
        self._model: Model = ddddocr(beta=True)

    def read(self, forms: dict[str, list[Image.Image]], known: Answers) -> dict[str, list[str]]:
        """Read some of the forms."""
        readings: dict[str, list[str]] = {}
        one = replace(known, lengths=frozenset({1}))
        for name in _FORMS:
            cuttings = [self._cut(_ink(picture), known) for picture in forms[name]]
            readings[name] = [text for text, _ in cuttings]
            readings[f"{name}, letters to ddddocr beta"] = [
                "".join(self._model.decoded(self._model.scores(_framed(ink)), one) for ink in inks)
                for _, inks in cuttings
            ]
        return readings

    def _cut(self, ink: Ink, known: Answers) -> tuple[str, list[Ink]]:
        columns = np.flatnonzero(ink.any(axis=0))
        if len(columns) < 2 * max(known.lengths):
            return "", []
        ink = ink[:, columns[0] : columns[-1] + 1]
        inked = np.append((ink > 0).mean(axis=0), 0)
        inked[0] = 0
        cuts = [x for x in [*range(0, ink.shape[1] - _STEP, _STEP), ink.shape[1]] if inked[x] <= _MOST_INK]
        usual = ink.shape[1] / max(known.lengths)
        windows = [(a, b) for a in cuts for b in cuts if _NARROWEST * usual <= b - a <= _WIDEST * usual]
        if not windows:
            return "", []
        likely, characters = glyph_reader(known.alphabet).judge([ink[:, a:b] for a, b in windows])
        scored = {}
        for (start, end), score, character in zip(windows, likely, characters, strict=True):
            odd = np.log((end - start) / usual) ** 2
            through_ink = inked[start] + inked[end]
            scored[start, end] = (float(score) - _ODD_WIDTH * odd - _THROUGH_INK * through_ink, character)
        found = max((_best_row(cuts, scored, length) for length in known.lengths), key=lambda row: row[0])[1]
        text = "".join(scored[window][1] for window in found)
        return text, [ink[:, a:b] for a, b in found]


def _ink(picture: Image.Image) -> Ink:
    """Split into paper (0) and ink (255), without specks."""
    ink = np.asarray(ImageOps.invert(binarised(picture)))
    parts, count = ndimage.label(ink)
    sizes = ndimage.sum_labels(np.ones_like(ink), parts, range(count + 1))
    sizes[0] = 0
    return np.uint8(255 * (sizes >= _LEAST_SPECK)[parts])


def _best_row(cuts: list[int], scores: Scores, length: int) -> tuple[float, list[Window]]:
    """Choose windows that follow each other from the first ink to the last, by dynamic programming."""
    best: dict[int, tuple[float, list[Window]]] = {cuts[0]: (0.0, [])}
    for _ in range(length):
        longer: dict[int, tuple[float, list[Window]]] = {}
        for (start, end), (score, _) in scores.items():
            if start in best and (end not in longer or best[start][0] + score > longer[end][0]):
                longer[end] = (best[start][0] + score, [*best[start][1], (start, end)])
        best = longer
    return best.get(cuts[-1], (-np.inf, []))


def _framed(ink: Ink) -> Image.Image:
    """Put a letter on light paper with a margin."""
    return ImageOps.expand(ImageOps.invert(Image.fromarray(np.ascontiguousarray(ink))), 12, 255)
