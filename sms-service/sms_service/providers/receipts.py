"""Delivery receipts: what a provider reports later about a text. A receipt never makes a code valid."""

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol  # Any: members of foreign JSON.

_MOST_BYTES = 256 * 1024
_MOST_ROWS = 100  # The most that tencent sends at once; aliyun sends fewer.
_LONGEST_TEXT = 128


class ReceiptStatus(enum.StrEnum):
    """What a receipt says. Only the last two are final."""

    UNDERWAY = "underway"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"


@dataclass(frozen=True)
class Receipt:
    """One receipt. It names its text by the provider's message id, by our job id if the provider returns it, or both.

    ``code`` is the provider's own status code. There may be any number of them, so it may stand in a log and must not
    be the label of a metric.
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

    acknowledgement: ClassVar[Mapping[str, object]]
    """The JSON body after which the provider does not send the receipts again."""

    def read_receipts(self, request: ReceiptRequest) -> list[Receipt]:
        """Read the receipts of one request, in their order.

        Raises:
            ReceiptMalformed: not this provider's form.
            ReceiptForged: the signature is wrong.
        """


@dataclass(frozen=True)
class Row:
    """The fields of one receipt, of a form or of JSON; unknown ones are ignored, because vendors add some."""

    fields: Mapping[str, Any]

    def optional_text(self, name: str) -> str:
        """Return a text; empty if the field is absent or null.

        Raises:
            ReceiptMalformed: it is no text, longer than 128 characters, or not printable.
        """
        text = self.fields.get(name)
        if text is None:
            return ""
        if not isinstance(text, str) or len(text) > _LONGEST_TEXT or not text.isprintable():
            raise ReceiptMalformed(f"{name} is not a short text")
        return text

    def required_text(self, name: str) -> str:
        """Return a text that must be there.

        Raises:
            ReceiptMalformed: as `optional_text`, or it is absent or empty.
        """
        if not (text := self.optional_text(name)):
            raise ReceiptMalformed(f"{name} is missing")
        return text


def parse_row(body: bytes) -> Row:
    """Parse one JSON object.

    Raises:
        ReceiptMalformed: it is none, or too long.
    """
    row = _parse_json(body)
    if not isinstance(row, dict):
        raise ReceiptMalformed("not an object")
    return Row(row)


def parse_rows(body: bytes) -> list[Row]:
    """Parse a JSON array of up to 100 objects.

    Raises:
        ReceiptMalformed: it is none, or too long.
    """
    rows = _parse_json(body)
    if not isinstance(rows, list) or len(rows) > _MOST_ROWS or not all(isinstance(row, dict) for row in rows):
        raise ReceiptMalformed(f"not an array of up to {_MOST_ROWS} objects")
    return [Row(row) for row in rows]


def _parse_json(body: bytes) -> object:
    if len(body) > _MOST_BYTES:
        raise ReceiptMalformed("too long")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ReceiptMalformed("not JSON") from error
