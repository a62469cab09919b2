"""Undoes exchanged colours: finds the smooth lines from the left edge to the right behind which a picture is inverted.

Where the colours are exchanged behind a line, its whole length is an edge, whatever letter it crosses; no line through
letters alone is. So the best line is the smooth path along the most edges, found by dynamic programming; inverting what
is below it makes it vanish. A drawn curve is two such lines.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

Plane = NDArray[np.float64]  # Rows × columns; paper and ink are -1 and 1, in either order.
_STEP = 4  # Columns between the points of a path.
_STEEPEST = 8  # Rows that a path may rise or fall in one step.
_BEND = 2  # Rows that a step may differ from the one before.
_LEAST_EVIDENCE = 0.66  # Of the path must be edge; letters alone give up to 0.6.
_MOST_LINES = 7


def without_borders(picture: Image.Image) -> Image.Image:
    """Give back dark letters on light paper, as far as the lines are found."""
    plane = two_colours(picture)
    for _ in range(_MOST_LINES):
        path, evidence = strongest_path(plane)
        if evidence < _LEAST_EVIDENCE:
            break
        rows = np.arange(plane.shape[0])[:, None]
        # A row that the line cuts is blended: half of it changes its sign.
        plane *= np.clip(1 - 2 * (rows - path[None] + 0.5), -1, 1)
    if np.median(plane) < 0:
        plane = -plane
    # What remains of the lines is one pixel thin.
    return Image.fromarray(np.uint8((plane + 1) * 127.5)).filter(ImageFilter.MedianFilter(3))


def two_colours(picture: Image.Image) -> Plane:
    """Bring the two main colours of a picture to -1 and 1."""
    grey = np.asarray(ImageOps.autocontrast(picture.convert("L"), cutoff=2), dtype=float)
    return grey / 127.5 - 1


def strongest_path(plane: Plane) -> tuple[Plane, float]:
    """Find the smooth path with the most edge under it: a row for each column, and the share of edge from 0 to 1."""
    height, width = plane.shape
    gains = _gains(plane)
    slopes = np.arange(-_STEEPEST, _STEEPEST + 1)
    starts = np.arange(height)[:, None] - slopes
    outside = (starts < 0) | (starts >= height)
    starts = starts.clip(0, height - 1)
    best = np.zeros((height, len(slopes)))  # For paths that end in this row, by the slope of the last step.
    origins = []
    for gain in gains:
        bent = np.stack([_shifted(best, change) for change in range(-_BEND, _BEND + 1)])
        origins.append(bent.argmax(axis=0))
        best = bent.max(axis=0)[starts, np.arange(len(slopes))] + gain
        best[outside] = -np.inf
    row, number = np.unravel_index(best.argmax(), best.shape)
    path = [row]
    for origin in reversed(origins):
        row -= slopes[number]
        number += origin[row, number] - _BEND
        path.append(row)
    columns = np.arange(len(path)) * _STEP
    return np.interp(np.arange(width), columns, path[::-1]), float(best.max()) / columns[-1]


def _gains(plane: Plane) -> NDArray[np.float64]:
    """Sum the edge along every possible step: steps × row at its end × slope."""
    edge = np.zeros_like(plane)
    edge[1:-1] = np.abs(plane[2:] - plane[:-2]) / 2
    padded = np.pad(edge, ((_STEEPEST, _STEEPEST), (0, 0)))
    steps = (plane.shape[1] - 1) // _STEP
    gains = []
    for slope in range(-_STEEPEST, _STEEPEST + 1):
        gain = np.zeros((steps, plane.shape[0]))
        for part in range(_STEP):
            # How far above its end the step is in this column.
            above = round(slope * (1 - part / _STEP))
            top = _STEEPEST - above
            gain += padded[top : top + plane.shape[0], part : part + steps * _STEP : _STEP].T
        gains.append(gain)
    return np.stack(gains, axis=2)


def _shifted(best: Plane, change: int) -> Plane:
    """Move the slopes by a change: what arrives at a slope comes from the slope plus the change."""
    padded = np.pad(best, ((0, 0), (_BEND, _BEND)), constant_values=-np.inf)
    return padded[:, _BEND + change : _BEND + change + best.shape[1]]
