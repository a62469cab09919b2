"""The receipts of a webhook, in our own form.

A POST signed as Standard Webhooks says, with the key that signs our texts, at most 5 minutes old::

    {"id": "<the id of sms.send>", "status": "delivered" | "undelivered" | "underway", "code": "<your word, optional>"}

``webhook-id`` is the sender's own, one for each receipt.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from sms_service.providers.receipt_rows import needed_text_of, read_row, text_of
from sms_service.providers.receipts import Receipt, ReceiptForged, ReceiptMalformed, ReceiptRequest, ReceiptStatus
from sms_service.providers.standard_webhooks import SignatureWrong, check


class WebhookReceipts:
    """Reads one receipt a request."""

    answer: Mapping[str, object] = {}

    def __init__(self, key: bytes, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._key = key
        self._clock = clock

    def read(self, request: ReceiptRequest) -> list[Receipt]:
        """Read the receipt, as `ReceiptReader.read`."""
        try:
            check(self._key, request.headers, request.body, now=self._clock())
        except SignatureWrong as error:
            raise ReceiptForged from error
        row = read_row(request.body)
        job_id, status = needed_text_of(row, "id"), needed_text_of(row, "status")
        if status not in set(ReceiptStatus):
            raise ReceiptMalformed("status is none of ours")
        return [Receipt(ReceiptStatus(status), code=text_of(row, "code"), message_id=job_id, job_id=job_id)]
