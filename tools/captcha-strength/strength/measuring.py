"""How many pictures each solver reads: the numbers of the report."""

import io
import math
import multiprocessing
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache

from PIL import Image

from strength.preparations import prepared
from strength.service import ALPHABET, Answers, folded
from strength.solvers import SOLVERS, Reader

_AT_ONCE = 10  # Pictures in one task.
Readings = dict[str, list[str]]  # What a solver read, by the way it was tried.


@dataclass(frozen=True)
class Rate:
    """How one way of one solver did: pictures read exactly, and the mean share of characters right."""

    solver: str
    way: str
    solved: int
    count: int
    characters: float

    @property
    def share(self) -> float:
        """The share of pictures read exactly."""
        return self.solved / self.count

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share (Wilson 1927, which also holds near 0)."""
        z, n = 1.96, self.count
        middle = (self.share + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(self.share * (1 - self.share) / n + z * z / (4 * n * n))
        return max(0.0, middle - half), min(1.0, middle + half)


def solve_rates(
    pictures: Sequence[tuple[bytes, str]],
    *,
    alphabet: str = ALPHABET,
    solvers: Sequence[str] = tuple(SOLVERS),
    processes: int | None = None,
    progress: Callable[[float], None] = lambda _share: None,
) -> dict[str, list[Rate]]:
    """Let solvers read PNG or JPEG pictures with known answers.

    For each solver the rates of all its ways: first the untouched picture, then the best first. Under ``all together``
    stands how many pictures at least one way of any solver read. The solvers know the alphabet and the set of lengths.

    Raises:
        ValueError: no pictures.
    """
    if not pictures:
        raise ValueError("no pictures to read")
    known = Answers(alphabet, frozenset(len(answer) for _, answer in pictures))
    readings = _read([content for content, _ in pictures], known, solvers, processes, progress)
    answers = [folded(answer) for _, answer in pictures]
    rates = {}
    anyhow = [False] * len(answers)
    for solver in solvers:
        ways = []
        for way, texts in readings[solver].items():
            cleaned = [_cleaned(text, alphabet) for text in texts]
            hits = [text == answer for text, answer in zip(cleaned, answers, strict=True)]
            anyhow = [before or hit for before, hit in zip(anyhow, hits, strict=True)]
            shares = [_share_right(text, answer) for text, answer in zip(cleaned, answers, strict=True)]
            ways.append(Rate(solver, way, sum(hits), len(hits), sum(shares) / len(shares)))
        rates[solver] = [ways[0], *sorted(ways[1:], key=lambda rate: (-rate.solved, -rate.characters))]
    rates["all together"] = [Rate("all together", "any", sum(anyhow), len(anyhow), math.nan)]
    return rates


def _read(
    contents: list[bytes],
    known: Answers,
    solvers: Sequence[str],
    processes: int | None,
    progress: Callable[[float], None],
) -> dict[str, Readings]:
    parts = [(contents[start : start + _AT_ONCE], solvers, known) for start in range(0, len(contents), _AT_ONCE)]
    readings: dict[str, Readings] = {solver: defaultdict(list) for solver in solvers}
    # Forked, because a script that has no main guard may call this.
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(processes or multiprocessing.cpu_count(), mp_context=context) as pool:
        for done, answers in enumerate(pool.map(_read_part, parts), start=1):
            for solver, answer in answers.items():
                for way, texts in answer.items():
                    readings[solver][way].extend(texts)
            progress(done / len(parts))
    return readings


def _read_part(part: tuple[list[bytes], Sequence[str], Answers]) -> dict[str, Readings]:
    contents, solvers, known = part
    forms = prepared([Image.open(io.BytesIO(content)).convert("RGB") for content in contents])
    return {solver: _reader(solver)(forms, known) for solver in solvers}


@cache
def _reader(solver: str) -> Reader:
    """Load a solver once in each process."""
    return SOLVERS[solver]()


def _cleaned(text: str, alphabet: str) -> str:
    """Bring a reading to the spelling that the service compares, without characters that no answer has."""
    return "".join(character for character in folded(text) if character in alphabet)


def _share_right(text: str, answer: str) -> float:
    """Measure the longest common subsequence as a share of the answer."""
    row = [0] * (len(answer) + 1)
    for character in text:
        before = row
        row = [0]
        for index, expected in enumerate(answer):
            row.append(before[index] + 1 if character == expected else max(before[index + 1], row[index]))
    return row[-1] / len(answer)
