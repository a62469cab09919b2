"""What an import did, table by table."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

HEAD = ("table", "read", "written", "changed", "unchanged", "refused")
_NOT_DATA = ("alembic_version",)


@dataclass
class TableReport:
    """The numbers of rows of one table, the reasons of refusals, and notes."""

    read: int = 0
    written: int = 0
    changed: int = 0
    unchanged: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)

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
            lines += [f"{name}: {count} × refused: {reason}" for reason, count in table.reasons.most_common()]
            lines += [f"{name}: {count} × {note}" for note, count in table.notes.most_common()]
        return lines + [f"{name}: skipped, {why}" for name, why in self.skipped.items()]


def _numbers(table: TableReport) -> tuple[int, ...]:
    return (table.read, table.written, table.changed, table.unchanged, table.refused)
