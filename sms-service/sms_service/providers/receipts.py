"""Delivery receipts: what a provider tells us later about a text. A receipt never makes a code valid."""

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import (
    Any,  # Members of foreign JSON.
    Protocol,
)

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


class ReceiptStatus(enum.StrEnum):
    """What a receipt says. Only the last two are final."""

    UNDERWAY = "underway"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"


@dataclass(frozen=True)
class Receipt:
    """One receipt. It names its text by the provider's message id, by our job id where the provider echoes it, or both.

    ``code`` is the provider's own word: short, but one of any number, so it may stand in a log and label no metric.
    """

    status: ReceiptStatus
    code: str = ""
    message_id: str = ""
    job_id: str = ""


@dataclass(frozen=True)
class ReceiptRequest:
    """What the provider sent: the raw body, the fields of a form, headers by lower-case name, the public address."""

    body: bytes
    form: Mapping[str, str]
    headers: Mapping[str, str]
    url: str


class ReceiptMalformed(Exception):
    """The request has not the provider's form."""


class ReceiptForged(Exception):
    """The provider signs its receipts, and this signature is wrong."""


class ReceiptReader(Protocol):
    """How one provider's receipts are read and answered."""

    answer: Mapping[str, object]
    """The JSON body that tells the provider to send no more of it."""

    def read(self, request: ReceiptRequest) -> list[Receipt]:
        """Read the receipts of one request, in their order.

        Raises:
            ReceiptMalformed: not this provider's form.
            ReceiptForged: signed, and wrongly.
        """
