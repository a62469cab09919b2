"""Keyset pages: the opaque cursor says where a page ended, and which list it belongs to."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar  # Any: keys and rows of several types.

from sqlalchemy import BindParameter, ColumnElement, FromClause, Select, and_, bindparam, or_

from chassis.errors import FieldError, RequestInvalid

Item = TypeVar("Item")
Row = TypeVar("Row")
ListName = tuple[str | int | None, ...]
"""One list: its order and the values of its filters."""

# The highest sort key: microseconds since 1970 (in the year 7106), or a hot score.
_HIGHEST = 162 * 10**15
_LONGEST = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Position:
    """The last item of a page: its sort key as an integer, and its id."""

    key: int
    item_id: int


@dataclass(frozen=True)
class KeysetPage(Generic[Item]):
    """One page of a list; ``next_cursor`` is None on the last one."""

    items: list[Item]
    next_cursor: str | None


def cut_page(
    rows: Sequence[Row], limit: int, name: ListName, position_of: Callable[[Row], Position]
) -> KeysetPage[Row]:
    """Make a page of at most ``limit`` rows from a query for one row more, which shows whether there is a next page."""
    more = write_cursor(name, position_of(rows[limit - 1])) if len(rows) > limit else None
    return KeysetPage(list(rows[:limit]), more)


def earlier_than(key: ColumnElement[Any], item_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Return the condition of a descending list after a position: its values are the parameters key and item_id.

    Row values are not compared as such, because MariaDB uses no index for that.
    """
    last: BindParameter[Any] = bindparam("key", type_=key.type)
    return and_(key <= last, or_(key < last, item_id < bindparam("item_id")))


def read_by(index: str, query: Select[*tuple[Any, ...]], table: FromClause) -> Select[*tuple[Any, ...]]:
    """Name the index whose order is the list's. MariaDB may else take one that it must sort by."""
    return query.with_hint(table, f"FORCE INDEX ({index})", dialect_name="mysql")


def write_cursor(name: ListName, position: Position) -> str:
    """Write the cursor of the page after a position."""
    parts = [*name, position.key, position.item_id]
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


def read_cursor(cursor: str | None, name: ListName) -> Position | None:
    """Read a cursor of a list; without one a list begins at its start, and there is no position.

    Raises:
        RequestInvalid: not a cursor, or one of another order or filter.
    """
    if cursor is None:
        return None
    try:
        padded = cursor[:_LONGEST] + "=" * (-len(cursor) % 4)
        *parts, key, item_id = json.loads(base64.b64decode(padded, b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise _wrong() from error
    if parts != list(name) or not (_is_number(key) and _is_number(item_id)):
        raise _wrong()
    return Position(key, item_id)


def sort_key(moment: datetime) -> int:
    """Return a moment as the integer of a position: microseconds since 1970."""
    return max(0, (moment - _EPOCH) // _MICROSECOND)


def moment_at(key: int) -> datetime:
    """Return the moment of a position's key."""
    return _EPOCH + key * _MICROSECOND


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value <= _HIGHEST


def _wrong() -> RequestInvalid:
    return RequestInvalid(errors=[FieldError("cursor", "cursor_invalid", "This is not a cursor of this list.")])
