"""The opaque cursor of a list: where a page ended, and which list it belongs to."""

import base64
import binascii
import json
from dataclasses import dataclass

from chassis.errors import FieldError, RequestInvalid

# The highest sort key: microseconds since 1970 (in the year 7106), or a hot score.
_HIGHEST = 162 * 10**15
_LONGEST = 200


@dataclass(frozen=True)
class ListName:
    """One list: its order and its filters."""

    order: str
    category_id: int | None = None
    author_id: int | None = None


@dataclass(frozen=True)
class Position:
    """The last item of a page: its sort key as an integer, and its id."""

    key: int
    article_id: int


def write_cursor(name: ListName, position: Position) -> str:
    """Write the cursor of the page after a position."""
    parts = [name.order, name.category_id, name.author_id, position.key, position.article_id]
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


def read_cursor(cursor: str, name: ListName) -> Position:
    """Read a cursor of a list.

    Raises:
        RequestInvalid: not a cursor, or one of another order or filter.
    """
    try:
        padded = cursor[:_LONGEST] + "=" * (-len(cursor) % 4)
        order, category_id, author_id, key, article_id = json.loads(base64.b64decode(padded, b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise _wrong() from error
    if ListName(order, category_id, author_id) != name or not (_is_number(key) and _is_number(article_id)):
        raise _wrong()
    return Position(key, article_id)


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value <= _HIGHEST


def _wrong() -> RequestInvalid:
    return RequestInvalid(errors=[FieldError("cursor", "cursor_invalid", "This is not a cursor of this list.")])
