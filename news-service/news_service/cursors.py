"""The opaque cursor of a list: where a page ended, and which list it belongs to."""

import base64
import binascii
import json
from dataclasses import dataclass

from chassis.errors import FieldError, RequestInvalid

# Of both keys: microseconds since 1970 (this is the year 7106) and hot scores.
_HIGHEST = 162 * 10**15
_LONGEST = 200


@dataclass(frozen=True)
class ListName:
    """One list: its order and its filters."""

    order: str
    category_id: int | None = None
    author_id: int | None = None


@dataclass(frozen=True)
class Place:
    """The last item of a page: its sort key as an integer, and its id."""

    key: int
    article_id: int


def write_cursor(name: ListName, place: Place) -> str:
    """Write the cursor that stands for the page after a place."""
    parts = [name.order, name.category_id, name.author_id, place.key, place.article_id]
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


def read_cursor(cursor: str, name: ListName) -> Place:
    """Read a cursor of this very list.

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
    return Place(key, article_id)


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value <= _HIGHEST


def _wrong() -> RequestInvalid:
    return RequestInvalid(errors=[FieldError("cursor", "cursor_invalid", "This is not a cursor of this list.")])
