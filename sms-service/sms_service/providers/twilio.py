"""The provider twilio: Messages, version 2010-04-01.

Source: twilio.com/docs/messaging/api/message-resource, by way of the SMS note, section 3.4.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from urllib3.util import make_headers

from sms_service.codes.purposes import Notice, Purpose
from sms_service.providers.http_client import Unreadable, VendorHttp, VendorReply, as_message_id
from sms_service.providers.provider import CodeTable, Outcome, OutgoingSms, ProviderAnswer
from sms_service.providers.receipts import (
    Receipt,
    ReceiptForged,
    ReceiptRequest,
    ReceiptStatus,
    needed_text_of,
    text_of,
)

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


ACCEPTED = "accepted"  # Our word: the vendor has none for success.
_EXACT = {
    Outcome.ACCEPTED: [ACCEPTED],
    Outcome.REFUSED_RECIPIENT: [
        "21211", "21214", "21217", "21408", "21610", "21612", "21614", "21635", "30003", "30004", "30005", "30006",
    ],
    Outcome.REFUSED_LIMIT: ["60203"],
    Outcome.REFUSED_CONFIG: [
        "20003", "20005", "20404", "21212", "21603", "21606", "21608", "21617", "30002", "30007",
    ],
    Outcome.REFUSED_BUSY: ["14107", "20429", "21611"],
    Outcome.UNCERTAIN: ["20500"],
}  # fmt: skip
CODES = CodeTable("twilio", _EXACT)


_LONGEST_VALIDITY_SECONDS = 36_000
_MESSAGING_SERVICE = "MG"


class Twilio:
    """Sends the whole text by itself, without a template of the vendor.

    ``sender`` is a number, a name, or a messaging service (``MG…``). With ``receipts_address`` the vendor is asked to
    report there what becomes of a text; our job's id travels in the query.
    """

    name = "twilio"

    def __init__(
        self,
        address: str,
        http: VendorHttp,
        *,
        account_sid: str,
        auth_token: str,
        sender: str,
        receipts_address: str | None = None,
    ) -> None:
        self._url = f"{address.rstrip('/')}/2010-04-01/Accounts/{quote(account_sid, safe='')}/Messages.json"
        self._http = http
        self._headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": make_headers(basic_auth=f"{account_sid}:{auth_token}")["authorization"],
        }
        self._sender = sender
        self._receipts_address = receipts_address

    def send(self, sms: OutgoingSms) -> ProviderAnswer:
        """Hand a text over, as `Provider.send`. What outlives its code in the vendor's queue is dropped there."""
        callback = f"{self._receipts_address}?{urlencode({'job': sms.job_id})}" if self._receipts_address else None
        form = form_of(sms, sender=self._sender, status_callback=callback)
        return self._http.ask(self._url, body=form, headers=self._headers, read=_read)

    def carries(self, purpose: Purpose | Notice) -> bool:  # noqa: ARG002 - Provider's
        """Say yes: the whole text is sent."""
        return True

    def repeats_safely(self, *, first_sent_at: datetime, at: datetime) -> bool:  # noqa: ARG002 - Provider's
        """Say no: the vendor takes no idempotency key."""
        return False

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def form_of(sms: OutgoingSms, *, sender: str, status_callback: str | None) -> bytes:
    """Write the order as a form."""
    fields = {
        "To": sms.mobile,
        "MessagingServiceSid" if sender.startswith(_MESSAGING_SERVICE) else "From": sender,
        "Body": sms.text,
        "ValidityPeriod": str(min(max(sms.left_seconds, 1), _LONGEST_VALIDITY_SECONDS)),
    }
    if status_callback:
        fields["StatusCallback"] = status_callback
    return urlencode(fields).encode()


def _read(reply: VendorReply) -> ProviderAnswer:
    """Read a message (201), whose ``error_code`` is null unless it failed at once, or an error and its ``code``."""
    answer = reply.json_object()
    is_message = reply.status < 300
    message_id = as_message_id(answer.get("sid"))
    code = answer.get("error_code" if is_message else "code")
    if is_message and code is None and message_id:
        return CODES.answer(ACCEPTED, message_id=message_id)
    if isinstance(code, bool) or not isinstance(code, int | str):
        raise Unreadable
    return CODES.answer(str(code), message_id=message_id)
