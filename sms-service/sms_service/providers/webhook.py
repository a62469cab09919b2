"""The provider webhook: any other way to text, behind an HTTP address of the operator. SMS note, section 3.5.

It gets a POST, signed as Standard Webhooks says (`standard_webhooks`)::

    {"type": "sms.send", "id": …, "to": "+8613800138000", "template": "login_code", "params": ["042619", "5"],
     "text": "[Demo] 042619", "expires_at": 1700000290}

``params`` are the code and the minutes; a notice has none, and is its own template (``password_changed``). ``id``,
which is also ``webhook-id`` and ``Idempotency-Key``, is the same whenever we repeat a text: the receiver must not text
it again, and may answer 409.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from sms_service.codes.purposes import Notice, Purpose
from sms_service.providers.http_client import VendorHttp, VendorReply, http_code
from sms_service.providers.provider import CodeTable, Outcome, OutgoingSms, ProviderAnswer
from sms_service.providers.receipts import (
    Receipt,
    ReceiptForged,
    ReceiptMalformed,
    ReceiptRequest,
    ReceiptStatus,
    needed_text_of,
    read_row,
    text_of,
)
from sms_service.providers.standard_webhooks import SignatureWrong, check, signed_headers


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


_EXACT = {
    Outcome.ACCEPTED: ["http_200", "http_201", "http_202", "http_204", "http_409"],  # 409: it has this job already.
    Outcome.REFUSED_RECIPIENT: ["http_400", "http_422"],
    Outcome.REFUSED_CONFIG: ["http_401", "http_403"],
    Outcome.UNCERTAIN: ["http_500", "http_502", "http_503", "http_504"],
}
_PREFIXES = {Outcome.ACCEPTED: ["http_2"], Outcome.UNCERTAIN: ["http_5"]}
CODES = CodeTable("webhook", _EXACT, _PREFIXES)


class Webhook:
    """Posts texts to one address; ``key`` signs them, and the receipts that come back."""

    name = "webhook"

    def __init__(
        self, url: str, key: bytes, http: VendorHttp, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._url = url
        self._key = key
        self._http = http
        self._clock = clock

    def send(self, sms: OutgoingSms) -> ProviderAnswer:
        """Hand a text over, as `Provider.send`; the message id is our job's."""
        now = self._clock()
        body = _order(sms, expires_at=int(now.timestamp()) + sms.left_seconds)
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": sms.job_id,
            **signed_headers(self._key, message_id=sms.job_id, at=now, body=body),
        }
        answer = self._http.ask(self._url, body=body, headers=headers, read=_read)
        return replace(answer, message_id=sms.job_id) if answer.outcome is Outcome.ACCEPTED else answer

    def carries(self, purpose: Purpose | Notice) -> bool:  # noqa: ARG002 - Provider's
        """Say yes: the whole text is sent."""
        return True

    def repeats_safely(self, *, first_sent_at: datetime, at: datetime) -> bool:  # noqa: ARG002 - Provider's
        """Say yes: the receiver knows a job again by its id."""
        return True

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _order(sms: OutgoingSms, *, expires_at: int) -> bytes:
    order = {
        "type": "sms.send",
        "id": sms.job_id,
        "to": sms.mobile,
        "template": f"{sms.purpose}_code" if sms.code else str(sms.purpose),
        "params": [*sms.parameters.values()],
        "text": sms.text,
        "expires_at": expires_at,
    }
    return json.dumps(order, separators=(",", ":"), ensure_ascii=False).encode()


def _read(reply: VendorReply) -> ProviderAnswer:
    if reply.status == 503 and reply.retry_after_seconds:
        return ProviderAnswer(Outcome.REFUSED_BUSY, http_code(503))
    return CODES.answer(f"http_{reply.status}")
