"""Writes tables as SQL that MySQL and MariaDB load, and that our own import reads, in the form of mysqldump."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any  # The values of a row have any type.
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Row, Select, and_, or_
from sqlalchemy.orm import QueryableAttribute

from chassis.database import Database

_ROWS_AT_ONCE = 500
# Characters of an INSERT; a server refuses packets of 16 MB, older ones of 4.
_STATEMENT_CHARACTERS = 500_000
# MySQL manual, "String Literals": what mysql_real_escape_string() writes with a backslash.
_ESCAPES = {"\\": r"\\", "'": r"\'", '"': r"\"", "\n": r"\n", "\r": r"\r", "\0": r"\0", "\x1a": r"\Z"}
_ESCAPED = re.compile("[" + re.escape("".join(_ESCAPES)) + "]")
_HEAD = """\
-- The classic tables, as MySQL and MariaDB load them. Times are local times of {zone}.
/*!40101 SET NAMES utf8mb4 */;
SET SQL_MODE='NO_AUTO_VALUE_ON_ZERO';
SET FOREIGN_KEY_CHECKS=0;
"""
_TAIL = "\nSET FOREIGN_KEY_CHECKS=1;\n"


Key = tuple[ColumnElement[Any] | QueryableAttribute[Any], ...]


@dataclass(frozen=True)
class ClassicTable:
    """A table to write: ``definition`` is what stands in its CREATE TABLE, ``rows`` gives values in that order."""

    name: str
    definition: str
    rows: Callable[[], Iterator[tuple[Any, ...]]]


def write_tables(tables: list[ClassicTable], zone: ZoneInfo) -> Iterator[str]:
    """Write tables piece by piece, in memory that does not grow with them.

    No DROP TABLE: loading them beside tables of these names fails at once, and destroys nothing.
    """
    yield _HEAD.format(zone=zone.key)
    for table in tables:
        yield f"\nCREATE TABLE `{table.name}` (\n{table.definition}\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;\n"
        yield from _inserts(table, zone)
    yield _TAIL


def _inserts(table: ClassicTable, zone: ZoneInfo) -> Iterator[str]:
    rows: list[str] = []
    size = 0
    for row in table.rows():
        rows.append(f"({','.join(literal(value, zone) for value in row)})")
        size += len(rows[-1])
        if size >= _STATEMENT_CHARACTERS:
            yield _insert(table.name, rows)
            rows, size = [], 0
    if rows:
        yield _insert(table.name, rows)


def _insert(name: str, rows: list[str]) -> str:
    return f"INSERT INTO `{name}` VALUES {','.join(rows)};\n"  # noqa: S608 - it is written, and executed by nobody here.


def literal(value: object, zone: ZoneInfo) -> str:
    """Write a value: NULL, a number, a moment as the local time of a zone, or a text in single quotes."""
    if value is None:
        return "NULL"
    if isinstance(value, bool | int):
        return str(int(value))
    if isinstance(value, datetime):
        return f"'{value.astimezone(zone).replace(tzinfo=None).isoformat(sep=' ')}'"
    return "'" + _ESCAPED.sub(lambda character: _ESCAPES[character[0]], str(value)) + "'"


def read_in_batches(database: Database, query: Select[*tuple[Any, ...]], key: Key) -> Iterator[Row[Any]]:
    """Read the rows of a query in the order of a key, of one column or two, 500 at a time.

    The first columns of the query are the key.
    """
    ordered = query.order_by(*key).limit(_ROWS_AT_ONCE)
    after: tuple[Any, ...] | None = None
    while True:
        rows = database.read_rows(ordered if after is None else ordered.where(_is_after(key, after)))
        yield from rows
        if len(rows) < _ROWS_AT_ONCE:
            return
        after = tuple(rows[-1])[: len(key)]


def _is_after(key: Key, after: tuple[Any, ...]) -> ColumnElement[bool]:
    # No comparison of tuples, for which MariaDB uses no index.
    if len(key) == 1:
        return and_(key[0] > after[0])
    return and_(key[0] >= after[0], or_(key[0] > after[0], key[1] > after[1]))
