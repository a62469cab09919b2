"""The receipts of aliyun: SmsReport, pushed over HTTP, unsigned and repeated after 1, 5 and 10 minutes.

Source: help.aliyun.com/document_detail/101867.html, by way of the SMS note, section 3.2.
"""

from collections.abc import Mapping

from sms_service.providers.receipt_rows import Row, needed_text_of, read_rows, text_of
from sms_service.providers.receipts import Receipt, ReceiptMalformed, ReceiptRequest, ReceiptStatus


class AliyunReceipts:
    """Reads an array of ``{biz_id, out_id, success, err_code, …}``; ``out_id`` is our job's id."""

    answer: Mapping[str, object] = {"code": 0, "msg": "成功"}

    def read(self, request: ReceiptRequest) -> list[Receipt]:
        """Read the receipts, as `ReceiptReader.read`."""
        return [_receipt(row) for row in read_rows(request.body)]


def _receipt(row: Row) -> Receipt:
    if not isinstance(row.get("success"), bool):
        raise ReceiptMalformed("success is not true or false")
    return Receipt(
        ReceiptStatus.DELIVERED if row["success"] else ReceiptStatus.UNDELIVERED,
        code=text_of(row, "err_code"),
        message_id=needed_text_of(row, "biz_id"),
        job_id=text_of(row, "out_id"),
    )
