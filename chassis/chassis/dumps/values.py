"""Converts the texts of a dump to values for our columns."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any  # The Python type of any column.
from zoneinfo import ZoneInfo

from sqlalchemy import Boolean, Integer, String
from sqlalchemy.types import TypeEngine

from chassis.database import UtcDateTime
from chassis.dumps.literals import Literal
from chassis.dumps.report import TableReport
from chassis.dumps.statements import DumpRow

Value = int | str | datetime | None
Values = dict[str, Value]
_INTEGER = re.compile(r"[+-]?[0-9]{1,10}")
# A date alone is its midnight; PostgreSQL writes the offset of a time with a zone.
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
# How mysqldump writes a column BIT(1) without --hex-blob.
_BITS = {"\0": "0", "\x01": "1"}
_MOST_INTEGER_BYTES = 8


class RowRefused(Exception):
    """A row cannot be stored; the text says why, without its contents."""


@dataclass(frozen=True)
class ValueReader:
    """Reads the values of one dump, whose times are the local times of one zone."""

    zone: ZoneInfo

    def read_value(self, name: str, kind: TypeEngine[Any], literal: Literal) -> Value:
        """Read a value for a column; NULL is always None here, whether the column takes it or not.

        Raises:
            RowRefused: no integer, no time, no UTF-8, or longer than the column.
        """
        if literal is None:
            return None
        text = _text(name, literal, is_number=isinstance(kind, Boolean | Integer))
        if isinstance(kind, UtcDateTime):
            return self._time(name, text)
        if isinstance(kind, Boolean):
            return _integer(name, _BITS.get(text, text)) != 0
        if isinstance(kind, Integer):
            return _integer(name, text)
        if isinstance(kind, String) and kind.length is not None and len(text) > kind.length:
            raise RowRefused(f"{name} is longer than {kind.length} characters")
        # PostgreSQL stores no zero character.
        return text.replace("\0", "")

    def _time(self, name: str, text: str) -> datetime | None:
        if text.startswith("0000-00-00"):
            return None
        if not _TIME.fullmatch(text):
            raise RowRefused(f"{name} is not a time")
        try:
            moment = datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=self.zone)).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise RowRefused(f"{name} is not a time") from error


def _text(name: str, literal: str | bytes, *, is_number: bool) -> str:
    """Return a literal as a text. MySQL takes ``0x41`` for 65 in a number's place, and for A in a text's."""
    if isinstance(literal, str):
        return literal
    if is_number and len(literal) <= _MOST_INTEGER_BYTES:
        return str(int.from_bytes(literal, "big"))
    try:
        return literal.decode()
    except UnicodeDecodeError as error:
        raise RowRefused(f"{name} is binary, and not a text in UTF-8") from error


def _integer(name: str, text: str) -> int:
    if not _INTEGER.fullmatch(text) or not -(2**31) <= int(text) < 2**31:
        raise RowRefused(f"{name} is not an integer")
    return int(text)


@dataclass(frozen=True)
class RowReader:
    """Reads the rows of one table.

    ``order`` is the classic order of its columns, for INSERTs without a column list; ``kinds`` are our types of them;
    ``aliases`` maps other names of columns in some dumps to ours.
    """

    order: tuple[str, ...]
    kinds: Mapping[str, TypeEngine[Any]]
    values: ValueReader
    report: TableReport
    aliases: Mapping[str, str] = field(default_factory=dict)

    def read_row(self, row: DumpRow) -> Values:
        """Return the values of the known columns that the row has; unknown ones are left out and noted.

        Raises:
            RowRefused: the dump's row cannot be read, a value does not fit its column, or there are more or fewer
                values than columns.
        """
        if row.problem:
            raise RowRefused(row.problem)
        names = row.columns or self.order
        if len(names) != len(row.values):
            raise RowRefused(f"{len(row.values)} values for {len(names)} columns")
        values: Values = {}
        for given, literal in zip(names, row.values, strict=True):
            name = self.aliases.get(given, given)
            if name in self.order:
                values[name] = self.values.read_value(name, self.kinds[name], literal)
            else:
                self.report.notes[f"the column {name[:64]} is unknown and left out"] += 1
        return values


def is_newer_here(ours: datetime | None, values: Values) -> bool:
    """Say whether a row of the database, changed at ``ours``, is newer than a dump's that names its own time."""
    if ours is None or "update_time" not in values:
        return False
    theirs = values["update_time"]
    return not isinstance(theirs, datetime) or theirs < ours
