"""The receipts of twilio: a signed form for each new state of a text.

Source: twilio.com/docs/usage/security and twilio.com/docs/messaging/guides/track-outbound-message-status, by way of the
SMS note, section 3.4.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from sms_service.providers.receipt_rows import needed_text_of, text_of
from sms_service.providers.receipts import Receipt, ReceiptForged, ReceiptRequest, ReceiptStatus

# All other states, also those that the vendor may add, are on the way to one of these.
_FINAL = {
    "delivered": ReceiptStatus.DELIVERED,
    "read": ReceiptStatus.DELIVERED,
    "undelivered": ReceiptStatus.UNDELIVERED,
    "failed": ReceiptStatus.UNDELIVERED,
    "canceled": ReceiptStatus.UNDELIVERED,
}


class TwilioReceipts:
    """Reads ``MessageSid``, ``MessageStatus``, ``ErrorCode``; ``job`` in the query of the address is our job's id."""

    answer: Mapping[str, object] = {}

    def __init__(self, auth_token: str) -> None:
        self._auth_token = auth_token

    def read(self, request: ReceiptRequest) -> list[Receipt]:
        """Read the receipt, as `ReceiptReader.read`."""
        given = request.headers.get("x-twilio-signature", "")
        expected = signature(self._auth_token, request.url, request.form)
        if not hmac.compare_digest(given.encode(), expected.encode()):
            raise ReceiptForged
        fields = dict(request.form)
        status = _FINAL.get(needed_text_of(fields, "MessageStatus"), ReceiptStatus.UNDERWAY)
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
        return [
            Receipt(
                status,
                code=text_of(fields, "ErrorCode"),
                message_id=needed_text_of(fields, "MessageSid"),
                job_id=text_of(query, "job"),
            )
        ]


def signature(auth_token: str, url: str, form: Mapping[str, str]) -> str:
    """Compute ``X-Twilio-Signature``: HMAC-SHA1 over the public address and each field's name and value, sorted."""
    signed = url + "".join(f"{name}{value}" for name, value in sorted(form.items()))
    return base64.b64encode(hmac.digest(auth_token.encode(), signed.encode(), hashlib.sha1)).decode()
