"""The provider twilio: Messages, version 2010-04-01.

Sources: https://www.twilio.com/docs/messaging/api/message-resource, https://www.twilio.com/docs/api/errors,
https://www.twilio.com/docs/usage/security (signature of receipts) and
https://www.twilio.com/docs/messaging/guides/track-outbound-message-status.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from urllib3.util import make_headers

from sms_service.codes.purposes import Notice, Purpose
from sms_service.providers.http_client import Unreadable, VendorHttp, VendorReply, classify_reply, parse_message_id
from sms_service.providers.provider import ErrorCodeTable, Outcome, OutgoingSms, ProviderAnswer
from sms_service.providers.receipts import Receipt, ReceiptForged, ReceiptRequest, ReceiptStatus, Row

ACCEPTED = "accepted"  # Our own code: the vendor has none for success.
_LONGEST_VALIDITY_SECONDS = 36_000
_MESSAGING_SERVICE = "MG"


class Twilio:
    """Sends the whole text as it is, without a template of the vendor.

    ``sender`` is a number, a name, or a messaging service (``MG…``). If ``receipts_address`` is set, the vendor sends
    its receipts there; our job's id is in the query.
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

    def send_text(self, sms: OutgoingSms) -> ProviderAnswer:
        """Hand a text over, as `Provider.send_text`. The vendor drops a text whose code expires in its queue."""
        callback = f"{self._receipts_address}?{urlencode({'job': sms.job_id})}" if self._receipts_address else None
        form = build_form(sms, sender=self._sender, status_callback=callback)
        return self._http.post(self._url, body=form, headers=self._headers, parse=_parse_answer)

    def supports(self, purpose: Purpose | Notice) -> bool:  # noqa: ARG002 - Provider's
        """Say yes: the whole text is sent."""
        return True

    def repeats_safely(self, *, first_sent_at: datetime, at: datetime) -> bool:  # noqa: ARG002 - Provider's
        """Say no: the vendor takes no idempotency key."""
        return False

    def close_connections(self) -> None:
        """Close the connections."""
        self._http.close_connections()


def build_form(sms: OutgoingSms, *, sender: str, status_callback: str | None) -> bytes:
    """Write the request as a form."""
    fields = {
        "To": sms.mobile,
        "MessagingServiceSid" if sender.startswith(_MESSAGING_SERVICE) else "From": sender,
        "Body": sms.text,
        "ValidityPeriod": str(min(max(sms.left_seconds, 1), _LONGEST_VALIDITY_SECONDS)),
    }
    if status_callback:
        fields["StatusCallback"] = status_callback
    return urlencode(fields).encode()


def _parse_answer(reply: VendorReply) -> ProviderAnswer:
    """Read a message (201), whose ``error_code`` is null unless it failed at once, or an error and its ``code``.

    A message with an unlisted ``error_code`` is no error document: the vendor took it.
    """
    fields = reply.json_object()
    is_message = reply.status < 300
    message_id = parse_message_id(fields.get("sid"))
    code = fields.get("error_code" if is_message else "code")
    if is_message and code is None and message_id:
        return ERROR_CODES.classify(ACCEPTED, message_id=message_id)
    if isinstance(code, bool) or not isinstance(code, int | str):
        raise Unreadable
    return classify_reply(ERROR_CODES, reply, str(code), is_error=not is_message, message_id=message_id)


# We have never seen 20003, 20005, 20404, 21603, 21212, 30002, 30007, 21214, 21217, 21705 and 14107 in an answer: they
# stand here as the vendor documents them. 21617 means that the text exceeds 1,600 characters, so our template is wrong.
_EXACT = {
    Outcome.ACCEPTED: [ACCEPTED],
    Outcome.REFUSED_RECIPIENT: [
        "21211", "21214", "21217", "21408", "21610", "21612", "21614", "21635", "30003", "30004", "30005", "30006",
    ],
    Outcome.REFUSED_LIMIT: ["60203"],
    Outcome.REFUSED_CONFIG: [
        "20003", "20005", "20404", "21212", "21603", "21606", "21608", "21617", "21705", "30002", "30007",
    ],
    Outcome.REFUSED_BUSY: ["14107", "20429", "21611"],
    Outcome.UNCERTAIN: ["20500"],
}  # fmt: skip
ERROR_CODES = ErrorCodeTable("twilio", _EXACT, form="[1-9][0-9]{4}")


# After any other state, known or new, one of these still follows.
_FINAL = {
    "delivered": ReceiptStatus.DELIVERED,
    "read": ReceiptStatus.DELIVERED,
    "undelivered": ReceiptStatus.UNDELIVERED,
    "failed": ReceiptStatus.UNDELIVERED,
    "canceled": ReceiptStatus.UNDELIVERED,
}


@dataclass(frozen=True)
class TwilioReceipts:
    """Receipts: a signed form for each new state of a text.

    Its fields are ``MessageSid``, ``MessageStatus`` and ``ErrorCode``; ``job`` in the query of the address is our
    job's id.
    """

    acknowledgement: ClassVar[Mapping[str, object]] = {}

    auth_token: str = field(repr=False)

    def read_receipts(self, request: ReceiptRequest) -> list[Receipt]:
        """Read the receipt, as `ReceiptReader.read_receipts`."""
        given = request.headers.get("x-twilio-signature", "")
        expected = sign_receipt(self.auth_token, request.url, request.form)
        if not hmac.compare_digest(given.encode(), expected.encode()):
            raise ReceiptForged
        row = Row(request.form)
        status = _FINAL.get(row.required_text("MessageStatus"), ReceiptStatus.UNDERWAY)
        query = Row({name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()})
        return [
            Receipt(
                status,
                code=row.optional_text("ErrorCode"),
                message_id=row.required_text("MessageSid"),
                job_id=query.optional_text("job"),
            )
        ]


def sign_receipt(auth_token: str, url: str, form: Mapping[str, str]) -> str:
    """Compute ``X-Twilio-Signature``: HMAC-SHA1 over the public address and each field's name and value, sorted."""
    signed = url + "".join(f"{name}{value}" for name, value in sorted(form.items()))
    return base64.b64encode(hmac.digest(auth_token.encode(), signed.encode(), hashlib.sha1)).decode()
