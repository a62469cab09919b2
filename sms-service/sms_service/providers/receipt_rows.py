"""Reads receipts that come as JSON: bounded, strict about types, indifferent to members that we do not know."""

import json
from typing import Any  # Members of foreign JSON.

from sms_service.providers.receipts import ReceiptMalformed

_MOST_BYTES = 256 * 1024
_MOST_ROWS = 100  # As tencent says of its own; aliyun's are fewer.
_LONGEST_TEXT = 128
Row = dict[str, Any]


def read_row(body: bytes) -> Row:
    """Read one JSON object.

    Raises:
        ReceiptMalformed: it is none, or too long.
    """
    row = _read(body)
    if not isinstance(row, dict):
        raise ReceiptMalformed("not an object")
    return row


def read_rows(body: bytes) -> list[Row]:
    """Read a JSON array of up to 100 objects.

    Raises:
        ReceiptMalformed: it is none, or too long.
    """
    rows = _read(body)
    if not isinstance(rows, list) or len(rows) > _MOST_ROWS or not all(isinstance(row, dict) for row in rows):
        raise ReceiptMalformed(f"not an array of up to {_MOST_ROWS} objects")
    return rows


def text_of(row: Row, name: str) -> str:
    """Take a text; empty if the member is absent or null.

    Raises:
        ReceiptMalformed: it is no text, longer than 128 characters, or not printable.
    """
    text = row.get(name)
    if text is None:
        return ""
    if not isinstance(text, str) or len(text) > _LONGEST_TEXT or not text.isprintable():
        raise ReceiptMalformed(f"{name} is not a short text")
    return text


def needed_text_of(row: Row, name: str) -> str:
    """Take a text that must be there.

    Raises:
        ReceiptMalformed: as `text_of`, or it is absent or empty.
    """
    if not (text := text_of(row, name)):
        raise ReceiptMalformed(f"{name} is missing")
    return text


def _read(body: bytes) -> object:
    if len(body) > _MOST_BYTES:
        raise ReceiptMalformed("too long")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ReceiptMalformed("not JSON") from error
