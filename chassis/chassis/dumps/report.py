"""What an import did, table by table."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

HEAD = ("table", "read", "written", "changed", "unchanged", "refused")
_NOT_DATA = ("alembic_version",)
_MOST_LINES = 5  # Per reason; a big dump may have a million such rows.


@dataclass
class TableReport:
    """The numbers of rows of one table, the reasons and lines of refusals, and notes."""

    read: int = 0
    written: int = 0
    changed: int = 0
    unchanged: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    refused_lines: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def refuse(self, reason: str, line: int) -> None:
        """Count a row that is not stored, and keep its line for the report if it is one of the first."""
        self.reasons[reason] += 1
        if len(self.refused_lines[reason]) < _MOST_LINES:
            self.refused_lines[reason].append(line)

    def refusals(self) -> Iterator[str]:
        """Say how many rows were refused for each reason, and where they stand."""
        for reason, count in self.reasons.most_common():
            lines = ", ".join(map(str, self.refused_lines[reason]))
            more = ", …" if count > len(self.refused_lines[reason]) else ""
            yield f"{count} × refused: {reason} (line {lines}{more})"

    @property
    def refused(self) -> int:
        """The number of rows that were not stored."""
        return self.reasons.total()


@dataclass
class ImportReport:
    """The tables of one file that were imported; of those that were not, how many rows they had and why."""

    tables: dict[str, TableReport] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    @classmethod
    def begin(
        cls, rows: Counter[str], *, imported: Collection[str], skipped: Mapping[str, str], otherwise: str
    ) -> "ImportReport":
        """Begin the report on a file with so many rows per table.

        ``skipped`` says why some tables are not imported, ``otherwise`` why the others are not.
        """
        left_out = {name: count for name, count in sorted(rows.items()) if name not in (*imported, *_NOT_DATA)}
        return cls({}, {name: f"{skipped.get(name, otherwise)} ({count} rows)" for name, count in left_out.items()})

    def lines(self) -> list[str]:
        """Write the report as lines of text."""
        rows = [HEAD, *((name, *_numbers(table)) for name, table in self.tables.items())]
        widths = [max(len(str(row[index])) for row in rows) for index in range(len(HEAD))]
        lines = [
            "  ".join(
                [
                    f"{row[0]:<{widths[0]}}",
                    *(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)),
                ]
            )
            for row in rows
        ]
        for name, table in self.tables.items():
            lines += [f"{name}: {refusal}" for refusal in table.refusals()]
            lines += [f"{name}: {count} × {note}" for note, count in table.notes.most_common()]
        return lines + [f"{name}: skipped, {why}" for name, why in self.skipped.items()]


def _numbers(table: TableReport) -> tuple[int, ...]:
    return (table.read, table.written, table.changed, table.unchanged, table.refused)
