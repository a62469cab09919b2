"""The receipts of tencent: up to 100 in one push, unsigned, with two more tries.

Source: cloud.tencent.com/document/product/382/59178, by way of the SMS note, section 3.3.
"""

from collections.abc import Mapping

from sms_service.providers.receipt_rows import Row, needed_text_of, read_rows, text_of
from sms_service.providers.receipts import Receipt, ReceiptMalformed, ReceiptRequest, ReceiptStatus

_STATUSES = {"SUCCESS": ReceiptStatus.DELIVERED, "FAIL": ReceiptStatus.UNDELIVERED}


class TencentReceipts:
    """Reads an array of ``{sid, report_status, errmsg, ext?, …}``; ``ext`` is our job's id, if the vendor echoes it."""

    answer: Mapping[str, object] = {"result": 0, "errmsg": "OK"}

    def read(self, request: ReceiptRequest) -> list[Receipt]:
        """Read the receipts, as `ReceiptReader.read`."""
        return [_receipt(row) for row in read_rows(request.body)]


def _receipt(row: Row) -> Receipt:
    status = _STATUSES.get(needed_text_of(row, "report_status"))
    if status is None:
        raise ReceiptMalformed("report_status is neither SUCCESS nor FAIL")
    return Receipt(
        status, code=text_of(row, "errmsg"), message_id=needed_text_of(row, "sid"), job_id=text_of(row, "ext")
    )
