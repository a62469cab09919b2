"""Draws a cover for an article without a picture: one motif per category, varied by the article's id.

The shapes are plain data on a canvas of 160 x 100, and `cover_markup` writes them as SVG. Their colours are the classes
``a`` (quiet), ``b`` (clear) and ``c`` (the accent), which the stylesheet defines per category. One article
always gets the same cover, and nothing is stored.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from markupsafe import Markup, escape

_HEIGHT = 100
# Of about 2 kB: writing one takes longer than all the rest of an article in a list.
_KEPT_DRAWINGS = 1000


@dataclass(frozen=True)
class Shape:
    """One SVG element: its name, its class and its attributes."""

    element: str
    tone: str
    attributes: dict[str, str]


@dataclass(frozen=True)
class Cover:
    """The drawing of one article; ``motif`` names the category's colours."""

    motif: str
    shapes: tuple[Shape, ...]


def _rectangle(tone: str, x: float, y: float, width: float, height: float) -> Shape:
    return Shape("rect", tone, {"x": f"{x:g}", "y": f"{y:g}", "width": f"{width:g}", "height": f"{height:g}"})


def _circle(tone: str, x: float, y: float, radius: float) -> Shape:
    return Shape("circle", tone, {"cx": f"{x:g}", "cy": f"{y:g}", "r": f"{radius:g}"})


def _candlesticks(random: Random) -> Iterator[Shape]:
    level = random.randint(40, 64)
    highlight = random.randint(5, 8)
    for column in range(11):
        x, change = 6 + column * 14, random.randint(-30, 28)
        if not 24 <= level + change <= 76:
            change = -change
        top, height = min(level, level + change), max(5, abs(change))
        tone = "c" if column == highlight else "b" if change < 0 else "a"
        yield _rectangle(tone, x + 3.2, top - random.randint(4, 12), 1.6, height + random.randint(12, 24))
        yield _rectangle(tone, x, top, 8, height)
        level += change


def _curves(random: Random) -> Iterator[Shape]:
    low, rise, bend = random.randint(74, 96), random.randint(40, 78), random.randint(24, 84)
    left, right = (low, low - rise) if random.getrandbits(1) else (low - rise, low)
    spacing, highlight = random.randint(10, 15), random.randint(2, 4)
    for line in range(8):
        shift = (line - highlight) * spacing - 10
        path = f"M-4 {left + shift}C{bend} {left + shift} {bend + 30} {right + shift} 164 {right + shift}"
        yield Shape("path", f"line {'c' if line == highlight else 'ab'[line % 2]}", {"d": path})
    yield _circle("c", 160 if right < left else 0, min(left, right) - 10, 14)


def _barrels(random: Random) -> Iterator[Shape]:
    highlight = random.randint(0, 14)
    for place in range(15):
        x, y = 16 + place % 5 * 32, 18 + place // 5 * 32
        tone = "c" if place == highlight else "b" if random.getrandbits(1) else "a"
        yield _circle(tone, x, y, 13.5)
        yield _circle("ground", x, y, random.randint(3, 9))


def _orbits(random: Random) -> Iterator[Shape]:
    left, right = (random.randint(34, 66), random.randint(30, 70)), (random.randint(94, 126), random.randint(30, 70))
    step, core = random.randint(9, 14), random.randint(8, 15)
    for ring in range(1, 6):
        yield Shape("circle", "line a", _circle("", *left, core + ring * step).attributes)
        yield Shape("circle", "line b", _circle("", *right, core + ring * step).attributes)
    yield _circle("b", *left, core)
    yield _circle("c", *right, core)


def _towers(random: Random) -> Iterator[Shape]:
    highlight = random.randint(1, 6)
    for column in range(8):
        x, height = column * 20 + 1, random.randint(26, 84)
        yield _rectangle("c" if column == highlight else "ab"[column % 2], x, _HEIGHT - height, 18, height)
        for storey in range(height // 12):
            yield _rectangle("ground", x + 4, _HEIGHT - height + 6 + storey * 12, random.randint(3, 10), 2.5)


def _threads(random: Random) -> Iterator[Shape]:
    highlight = random.randint(0, 4)
    widths = [random.randint(6, 14) for _column in range(8)]
    for column, width in enumerate(widths):
        yield _rectangle("a", column * 20 + 10 - width / 2, 0, width, _HEIGHT)
    for row in range(5):
        height = random.randint(5, 12)
        for column in range(row % 2, 8, 2):
            yield _rectangle("c" if row == highlight else "b", column * 20 - 3, row * 20 + 10 - height / 2, 26, height)


_MOTIFS: dict[str, tuple[str, Callable[[Random], Iterator[Shape]]]] = {
    "股市": ("stocks", _candlesticks),
    "债市": ("bonds", _curves),
    "商品": ("commodities", _barrels),
    "外汇": ("currencies", _orbits),
    "公司": ("companies", _towers),
}


def draw_cover(article_id: int, category_name: str | None) -> Cover:
    """Draw the cover of an article; an unknown category gets woven threads."""
    motif, draw = _MOTIFS.get(category_name or "", ("news", _threads))
    random = Random(f"cover {article_id}")  # noqa: S311 - nothing has to be unguessable.
    return Cover(motif, tuple(draw(random)))


@lru_cache(maxsize=_KEPT_DRAWINGS)
def cover_shapes(article_id: int, category_name: str | None) -> tuple[str, Markup]:
    """Return the motif of a cover, and its shapes as SVG elements. No text of an article is in them."""
    cover = draw_cover(article_id, category_name)
    return cover.motif, Markup("".join(map(_element, cover.shapes)))  # noqa: S704 - of our numbers and names.


def _element(shape: Shape) -> str:
    attributes = {"class": shape.tone} | shape.attributes
    written = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
    return f"<{shape.element}{written}/>"
