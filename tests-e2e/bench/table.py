"""The end of a benchmark: every figure beside its yardstick, as aligned text."""

from collections.abc import Iterable
from dataclasses import dataclass, field

_HEAD = ("what", "ours", "yardstick", "ratio", "goal", "met or missed")
_IS_RIGHT = (False, True, False, True, False, False)  # Where the text of a column stands.


@dataclass(frozen=True)
class Row:
    """One figure of ours and the yardstick's of the same run; without a goal, it is only to know."""

    what: str
    ours: str
    yardstick: str
    ratio: float
    goal: str = ""
    is_met: bool | None = None

    def cells(self) -> tuple[str, ...]:
        """Write it."""
        verdict = {None: "", True: "met", False: "missed"}[self.is_met]
        return (f"  {self.what}", self.ours, self.yardstick, written(self.ratio), self.goal, verdict)


@dataclass
class Measured:
    """What one part gave: rows, and what became of it if it did not come to its end."""

    part: str
    rows: list[Row] = field(default_factory=list)
    seconds: float = 0
    trouble: str = ""
    is_failed: bool = False


def compare(
    what: str,
    ours: float,
    yardstick: float,
    *,
    unit: str,
    against: str,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Row:
    """Make the row of two figures of one unit; ``against`` names the yardstick."""
    ratio = ours / yardstick
    goal, is_met = "", None
    if at_least is not None:
        goal, is_met = f"≥ {at_least:g}", ratio >= at_least
    elif at_most is not None:
        goal, is_met = f"≤ {at_most:g}", ratio <= at_most
    return Row(what, f"{written(ours)} {unit}", f"{against}: {written(yardstick)} {unit}", ratio, goal, is_met)


def written(value: float) -> str:
    """Write three digits that count, and no power of ten."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.4f}"


def table(measured: Iterable[Measured]) -> list[str]:
    """Write all parts under one head."""
    lines: list[str | tuple[str, ...]] = [_HEAD]
    for each in measured:
        lines.append(f"{each.part}, {each.seconds:.0f} s" + (f": {each.trouble}" if each.trouble else ""))
        lines += [row.cells() for row in each.rows]
    rows = [line for line in lines if isinstance(line, tuple)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [line if isinstance(line, str) else _aligned(line, widths) for line in lines]


def _aligned(cells: tuple[str, ...], widths: list[int]) -> str:
    columns = zip(cells, widths, _IS_RIGHT, strict=True)
    return "  ".join(cell.rjust(width) if right else cell.ljust(width) for cell, width, right in columns).rstrip()
