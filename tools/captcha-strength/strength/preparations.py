"""What an attacker tries on a picture before a solver sees it."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageChops, ImageFilter, ImageOps

from strength.borders import without_borders
from strength.outlines import filled, lines_alone

Preparation = Callable[[Image.Image], Image.Image]


def _grey(picture: Image.Image) -> Image.Image:
    return ImageOps.autocontrast(picture.convert("L"))


def dark_on_light(picture: Image.Image) -> Image.Image:
    """Take the colour of most pixels for the paper, and make it the light one."""
    grey = _grey(picture)
    return ImageOps.invert(grey) if np.median(np.asarray(grey)) < 128 else grey


def binarised(picture: Image.Image) -> Image.Image:
    """Split into black and white at Otsu's threshold (Otsu 1979: the split of least variance inside both classes)."""
    grey = dark_on_light(picture)
    counts = np.array(grey.histogram(), dtype=float)
    below = np.cumsum(counts)
    mass = np.cumsum(counts * np.arange(256))
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (mass[-1] * below / below[-1] - mass) ** 2 / (below * (below[-1] - below))
    threshold = int(np.nan_to_num(between).argmax())  # Not a number where one side is empty.
    return grey.point([255 * (value > threshold) for value in range(256)])


def _without_thin_lines(picture: Image.Image) -> Image.Image:
    """Remove what is thinner than five pixels, dark or light."""
    grey = dark_on_light(picture)
    for first, second in (
        (ImageFilter.MaxFilter, ImageFilter.MinFilter),
        (ImageFilter.MinFilter, ImageFilter.MaxFilter),
    ):
        grey = grey.filter(first(5)).filter(second(5))
    return grey


def _edges(picture: Image.Image) -> Image.Image:
    """Keep the outlines only: they do not care which colour is the ink."""
    grey = _grey(picture)
    outline = ImageChops.difference(grey.filter(ImageFilter.MaxFilter(3)), grey.filter(ImageFilter.MinFilter(3)))
    return ImageOps.invert(outline)


PREPARATIONS: dict[str, Preparation] = {
    "untouched": lambda picture: picture,
    "inverted": lambda picture: ImageOps.invert(_grey(picture)),
    "dark on light": dark_on_light,
    "blurred": lambda picture: dark_on_light(picture).filter(ImageFilter.GaussianBlur(1.5)),
    "median": lambda picture: dark_on_light(picture).filter(ImageFilter.MedianFilter(5)),
    "binarised": binarised,
    "no thin lines": _without_thin_lines,
    "edges": _edges,
    "borders undone": without_borders,
    "lines alone": lambda picture: lines_alone(binarised(picture)),
    "letters filled": lambda picture: filled(lines_alone(binarised(picture))),
    "patches and letters filled": lambda picture: filled(binarised(picture)),
    "upscaled": lambda picture: dark_on_light(picture).resize(
        (picture.width * 2, picture.height * 2), Image.Resampling.LANCZOS
    ),
}


def prepared(pictures: list[Image.Image]) -> dict[str, list[Image.Image]]:
    """Bring pictures (RGB) into every form, the untouched one first."""
    return {name: [prepare(picture) for picture in pictures] for name, prepare in PREPARATIONS.items()}
