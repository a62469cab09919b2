"""What an import did, table by table."""

from collections import Counter
from dataclasses import dataclass, field

HEAD = ("table", "read", "written", "changed", "unchanged", "refused")


@dataclass
class TableReport:
    """The rows of one table, why some were refused, and what else is worth knowing."""

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
    """The tables of one file that were imported, and the rows of those that were not."""

    tables: dict[str, TableReport] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)

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
        return lines + [f"{name}: skipped, {_why(name)} ({count} rows)" for name, count in self.skipped.items()]


def _numbers(table: TableReport) -> tuple[int, ...]:
    return (table.read, table.written, table.changed, table.unchanged, table.refused)


def _why(table: str) -> str:
    return "accounts belong to user-service" if table == "info_user" else "not a table of the news"
