"""Delivery receipts: what a provider tells us later about a text. A receipt never makes a code valid."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


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
