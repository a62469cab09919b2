"""Turns what a CTC model says about each column of a picture into a text.

Connectionist temporal classification (Graves et al. 2006): one class is the blank, equal neighbours are one character.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from strength.service import folded

Scores = NDArray[np.float32]  # Columns × classes; any scale on which a larger sum is a better text.


def greedy(scores: Scores, labels: list[str], blank: int) -> str:
    """Take the best class of each column, as the models' own packages do."""
    best = scores.argmax(axis=1)
    firsts = np.insert(best[1:] != best[:-1], 0, True)
    return "".join(labels[index] for index in best[firsts] if index != blank)


def spellings(labels: Sequence[str], alphabet: str) -> list[list[int]]:
    """Find the classes that count as each character: either case, and its look-alikes."""
    classes: dict[str, list[int]] = {character: [] for character in alphabet}
    for index, label in enumerate(labels):
        if folded(label) in classes:
            classes[folded(label)].append(index)
    return list(classes.values())


def of_length(scores: Scores, blank: int, spelt: list[list[int]], lengths: frozenset[int]) -> list[int]:
    """Find the best text of one of the lengths, as indices of ``spellings``: an attacker knows lengths and alphabet."""
    known = np.stack([scores[:, blank], *(scores[:, classes].max(axis=1) for classes in spelt)], axis=1)
    likely, written = max(_best_of_length(known, length) for length in lengths)
    return [index - 1 for index in written] if likely > -np.inf else []  # Too few columns for so many characters.


def _best_of_length(scores: Scores, length: int) -> tuple[float, list[int]]:
    """Viterbi's algorithm over states (characters written, class of the last column); class 0 is the blank."""
    classes = scores.shape[1]
    state = np.full((length + 1, classes), -np.inf)
    state[0, 0], state[1, 1:] = scores[0, 0], scores[0, 1:]
    another = np.where(np.eye(classes, dtype=bool), -np.inf, 0)
    origins = []
    for column in scores[1:]:
        # A blank follows any class; a character follows itself, or any other class and is then one character more.
        before = np.full_like(state, -np.inf)
        writing = state[:-1, :, None] + another
        before[1:] = writing.max(axis=1)
        origin = np.zeros(state.shape, dtype=int)
        origin[1:] = writing.argmax(axis=1) + np.arange(length)[:, None] * classes
        here = np.arange(state.size).reshape(state.shape)
        origin = np.where(state >= before, here, origin)
        before = np.maximum(state, before)
        before[:, 0] = state.max(axis=1)
        origin[:, 0] = state.argmax(axis=1) + np.arange(length + 1) * classes
        origins.append(origin)
        state = before + column
    at = length * classes + int(state[length].argmax())
    path = [at]
    for origin in reversed(origins):
        at = int(origin.flat[at])
        path.append(at)
    path.reverse()
    written = [b % classes for a, b in zip([0, *path], path, strict=False) if b // classes > a // classes]
    return float(state[length].max()), written
