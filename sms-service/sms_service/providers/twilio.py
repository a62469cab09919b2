"""The provider twilio: Messages, version 2010-04-01.

Source: twilio.com/docs/messaging/api/message-resource, by way of the SMS note, section 3.4.
"""

from datetime import datetime
from urllib.parse import quote, urlencode

from urllib3.util import make_headers

from sms_service.providers.outcomes import ProviderAnswer
from sms_service.providers.provider import OutgoingSms
from sms_service.providers.twilio_codes import ACCEPTED, CODES
from sms_service.providers.vendor_http import Unreadable, VendorHttp, VendorReply, as_message_id
from sms_service.purposes import Notice, Purpose

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
