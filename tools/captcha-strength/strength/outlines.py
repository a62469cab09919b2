"""Fills letters that are drawn as outlines, as far as their outlines close.

Crossing an outline leads from the outside of a letter to its inside or back. So the areas between the lines get two
colours in turn, beginning with the area around everything, and go by the neighbours that share the longest border.
Where letters overlap an area has the colour of the paper again.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter, ImageOps
from scipy import ndimage, sparse

Areas = NDArray[np.int32]  # The number of the area that a pixel belongs to, 0 on a line.
_WIDEST_LINE = 7  # Pixels; what is wider is an area.
_LEAST_AREA = 6  # Pixels; where lines cross they leave smaller ones.


def lines_alone(black_and_white: Image.Image) -> Image.Image:
    """Undo what exchanged the colours of whole areas, so that the lines are dark on light everywhere."""
    closed = black_and_white.filter(ImageFilter.MaxFilter(_WIDEST_LINE)).filter(ImageFilter.MinFilter(_WIDEST_LINE))
    return ImageOps.invert(ImageChops.difference(black_and_white, closed))


def filled(lines: Image.Image) -> Image.Image:
    """Fill the letters of a picture of dark lines on light."""
    areas, count = ndimage.label(np.pad(np.asarray(lines) > 128, 1, constant_values=True))
    areas[np.bincount(areas.ravel())[areas] < _LEAST_AREA] = 0
    tree = sparse.csgraph.minimum_spanning_tree(_distances(areas, count))
    order, before = sparse.csgraph.breadth_first_order(tree, areas[0, 0], directed=False)
    inside = np.zeros(count + 1, dtype=bool)
    for area in order[1:]:
        inside[area] = not inside[before[area]]
    nearest = ndimage.distance_transform_edt(areas == 0, return_distances=False, return_indices=True)
    return Image.fromarray(np.where(inside[areas[tuple(nearest)]], np.uint8(0), np.uint8(255))[1:-1, 1:-1])


def _distances(areas: Areas, count: int) -> sparse.csr_array:
    """Find which areas lie on both sides of a line: the longer their common border is, the nearer they are."""
    pairs = np.concatenate([_across(row) for rows in (areas, areas.T) for row in rows])
    pairs.sort(axis=1)
    neighbours, lengths = np.unique(pairs, axis=0, return_counts=True)
    return sparse.csr_array((1 / lengths, (neighbours[:, 0], neighbours[:, 1])), shape=(count + 1, count + 1))


def _across(row: NDArray[np.int32]) -> NDArray[np.int32]:
    """List the pairs of areas in a row that only a line is between."""
    places = np.flatnonzero(row)
    gaps = np.diff(places)
    pairs = np.stack([row[places[:-1]], row[places[1:]]], axis=1)
    return pairs[(gaps > 1) & (gaps <= _WIDEST_LINE) & (pairs[:, 0] != pairs[:, 1])]
