"""The provider webhook: any other way to text, behind an HTTP address of the operator.

It gets a POST, signed as Standard Webhooks says (`standard_webhooks`)::

    {"type": "sms.send", "id": …, "to": "+8613800138000", "template": "login_code", "params": ["042619", "5"],
     "text": "[Demo] 042619", "expires_at": 1700000290}

``params`` are the code and the minutes; a notice has none, and its template is its name (``password_changed``). ``id``,
which is also ``webhook-id`` and ``Idempotency-Key``, is the same whenever we repeat a text: the receiver must not text
it again, and may answer 409.

It answers 2xx when it has the text; 400 or 422 if the recipient cannot be texted; 429, or 503 with ``Retry-After``, if
it is busy; any other 4xx if our request is wrong, which opens the breaker. After a 5xx, 408 or 499 nobody knows.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import ClassVar

from sms_service.codes.purposes import Notice, Purpose
from sms_service.providers.http_client import VendorHttp, VendorReply, http_code
from sms_service.providers.provider import ErrorCodeTable, Outcome, OutgoingSms, ProviderAnswer
from sms_service.providers.receipts import (
    Receipt,
    ReceiptForged,
    ReceiptMalformed,
    ReceiptRequest,
    ReceiptStatus,
    parse_row,
)
from sms_service.providers.standard_webhooks import SignatureWrong, check_signature, sign_headers


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """Posts texts to one address; ``key`` signs them, and the receipts that come back."""

    name = "webhook"

    url: str
    key: bytes = field(repr=False)
    http: VendorHttp
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def send_text(self, sms: OutgoingSms) -> ProviderAnswer:
        """Hand a text over, as `Provider.send_text`; the message id is our job's."""
        now = self.clock()
        body = _build_body(sms, expires_at=int(now.timestamp()) + sms.left_seconds)
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": sms.job_id,
            **sign_headers(self.key, message_id=sms.job_id, at=now, body=body),
        }
        answer = self.http.post(self.url, body=body, headers=headers, parse=_parse_answer)
        return replace(answer, message_id=sms.job_id) if answer.outcome is Outcome.ACCEPTED else answer

    def supports(self, purpose: Purpose | Notice) -> bool:  # noqa: ARG002 - Provider's
        """Say yes: the whole text is sent."""
        return True

    def repeats_safely(self, *, first_sent_at: datetime, at: datetime) -> bool:  # noqa: ARG002 - Provider's
        """Say yes: the receiver recognises a repeated job by its id."""
        return True

    def close_connections(self) -> None:
        """Close the connections."""
        self.http.close_connections()


def _build_body(sms: OutgoingSms, *, expires_at: int) -> bytes:
    fields = {
        "type": "sms.send",
        "id": sms.job_id,
        "to": sms.mobile,
        "template": f"{sms.purpose}_code" if sms.code else str(sms.purpose),
        "params": [*sms.parameters.values()],
        "text": sms.text,
        "expires_at": expires_at,
    }
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()


def _parse_answer(reply: VendorReply) -> ProviderAnswer:
    if reply.status == 503 and reply.retry_after_seconds:
        return ProviderAnswer(Outcome.REFUSED_BUSY, http_code(503))
    return ERROR_CODES.classify(f"http_{reply.status}", is_error=False)


# 429, and 503 with ``Retry-After``, are not in the table: their meaning depends on that header too.
_EXACT = {
    Outcome.ACCEPTED: ["http_200", "http_201", "http_202", "http_204", "http_409"],  # 409: it has this job already.
    Outcome.REFUSED_RECIPIENT: ["http_400", "http_422"],
    Outcome.REFUSED_CONFIG: ["http_401", "http_403"],
    # 408 and 499 are said by proxies that waited for the receiver in vain.
    Outcome.UNCERTAIN: ["http_408", "http_499", "http_500", "http_502", "http_503", "http_504"],
}
# The status is all that a receiver says, so any other 4xx is its no: address, method or form of our request.
_PREFIXES = {Outcome.ACCEPTED: ["http_2"], Outcome.REFUSED_CONFIG: ["http_4"], Outcome.UNCERTAIN: ["http_5"]}
ERROR_CODES = ErrorCodeTable("webhook", _EXACT, _PREFIXES)


@dataclass(frozen=True)
class WebhookReceipts:
    """Receipts in our own form, one a request.

    A POST signed as Standard Webhooks says, with the key that signs our texts, at most 5 minutes old::

        {"id": "<the id of sms.send>", "status": "delivered" | "undelivered" | "underway",
         "code": "<your own status code, optional>"}

    ``webhook-id`` is the sender's own, one for each receipt.
    """

    acknowledgement: ClassVar[Mapping[str, object]] = {}

    key: bytes = field(repr=False)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def read_receipts(self, request: ReceiptRequest) -> list[Receipt]:
        """Read the receipt, as `ReceiptReader.read_receipts`."""
        try:
            check_signature(self.key, request.headers, request.body, now=self.clock())
        except SignatureWrong as error:
            raise ReceiptForged from error
        row = parse_row(request.body)
        job_id, status = row.required_text("id"), row.required_text("status")
        if status not in set(ReceiptStatus):
            raise ReceiptMalformed("status is none of ours")
        return [Receipt(ReceiptStatus(status), code=row.optional_text("code"), message_id=job_id, job_id=job_id)]
