"""The provider webhook: signature vectors, what statuses mean, and its receipts."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from sms_service.providers.provider import Outcome, ProviderAnswer
from sms_service.providers.receipts import Receipt, ReceiptForged, ReceiptMalformed, ReceiptRequest, ReceiptStatus
from sms_service.providers.standard_webhooks import decode_key, sign, sign_headers
from sms_service.providers.webhook import Webhook, WebhookReceipts

KEY = decode_key("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
NOW = datetime.fromtimestamp(1700000000, UTC)
BODY = (
    b'{"type":"sms.send","id":"01JD0V9Z3Q8W6T5R4E2Y1K7M0P","to":"+8613800138000","template":"login_code",'
    b'"params":["042619","5"],"text":"[Demo] 042619","expires_at":1700000290}'
)
SIGNATURE = "v1,+cB7zVGE/bi+o5r3HoZQcGoYeq60bYcnRgQHInFEJxQ="
RECEIPT = b'{"id":"01JD","status":"delivered","code":"DELIVRD","more":[1]}'


@pytest.fixture
def webhook(make_provider) -> Webhook:
    return make_provider("webhook")


def test_the_signature_is_the_specifications() -> None:
    signature = sign(
        KEY, message_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp="1614265330", body=b'{"test": 2432232314}'
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_an_order_is_sent_exactly_as_documented(http, vendor, sms) -> None:
    Webhook(url=f"{vendor.address}/hooks/sms?a=1", key=KEY, http=http, clock=lambda: NOW).send_text(sms)
    [(path, headers, body)] = vendor.requests
    assert (path, body) == ("/hooks/sms?a=1", BODY)
    assert headers["webhook-signature"] == SIGNATURE
    assert headers["webhook-timestamp"] == "1700000000"
    assert headers["webhook-id"] == headers["Idempotency-Key"] == sms.job_id
    assert headers["Content-Type"] == "application/json"


def test_chinese_texts_arrive_as_they_are(webhook, vendor, make_sms) -> None:
    webhook.send_text(make_sms(text="【新经资讯】042619"))
    assert json.loads(vendor.requests[0][2])["text"] == "【新经资讯】042619"


@pytest.mark.parametrize(
    ("status", "outcome", "code"),
    [
        (201, Outcome.ACCEPTED, "http_201"),
        (204, Outcome.ACCEPTED, "http_204"),
        (299, Outcome.ACCEPTED, "http_2*"),
        (409, Outcome.ACCEPTED, "http_409"),
        (400, Outcome.REFUSED_RECIPIENT, "http_400"),
        (422, Outcome.REFUSED_RECIPIENT, "http_422"),
        (401, Outcome.REFUSED_CONFIG, "http_401"),
        (403, Outcome.REFUSED_CONFIG, "http_403"),
        (503, Outcome.UNCERTAIN, "http_503"),
        (507, Outcome.UNCERTAIN, "http_5*"),
        (404, Outcome.REFUSED_CONFIG, "http_4*"),
        (405, Outcome.REFUSED_CONFIG, "http_4*"),
        (408, Outcome.UNCERTAIN, "http_408"),
        (499, Outcome.UNCERTAIN, "http_499"),
        (304, Outcome.UNCERTAIN, "http_304"),
    ],
)
def test_each_status_has_its_class(webhook, vendor, sms, status: int, outcome: Outcome, code: str) -> None:
    vendor.play = lambda handler: handler.reply(b"", status)
    message_id = sms.job_id if outcome is Outcome.ACCEPTED else ""
    assert webhook.send_text(sms) == ProviderAnswer(outcome, code, message_id)


def test_who_asks_for_patience_has_not_taken_the_text(webhook, vendor, sms) -> None:
    vendor.play = lambda handler: handler.reply(b"", 503, Retry_After="9")
    assert webhook.send_text(sms) == ProviderAnswer(Outcome.REFUSED_BUSY, "http_503", retry_after_seconds=9)


@pytest.mark.parametrize("text", ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
def test_a_key_may_have_its_prefix(text: str) -> None:
    assert base64.b64encode(decode_key(text)) == b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.mark.parametrize("text", ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa==", "not base64!", "密" * 32])
def test_other_keys_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_key(text)


def receipt_request(body: bytes = RECEIPT, *, at: datetime = NOW, **changed: str) -> ReceiptRequest:
    headers = sign_headers(KEY, message_id="msg_1", at=at, body=body)
    return ReceiptRequest(body, {}, headers | {name.replace("_", "-"): text for name, text in changed.items()}, "")


@pytest.fixture
def receipts() -> WebhookReceipts:
    return WebhookReceipts(KEY, clock=lambda: NOW)


def test_a_receipt_names_the_job(receipts) -> None:
    assert receipts.read_receipts(receipt_request()) == [Receipt(ReceiptStatus.DELIVERED, "DELIVRD", "01JD", "01JD")]


@pytest.mark.parametrize("status", ["underway", "undelivered"])
def test_a_receipt_needs_no_code(receipts, status: str) -> None:
    body = json.dumps({"id": "01JD", "status": status}).encode()
    assert receipts.read_receipts(receipt_request(body)) == [Receipt(ReceiptStatus(status), "", "01JD", "01JD")]


def test_one_right_signature_among_several_will_do(receipts) -> None:
    right = receipt_request().headers["webhook-signature"]
    assert receipts.read_receipts(receipt_request(webhook_signature=f"v1,old {right} v1a,other"))


@pytest.mark.parametrize("minutes", [-5, 5])
def test_a_receipt_may_be_five_minutes_off(receipts, minutes: int) -> None:
    assert receipts.read_receipts(receipt_request(at=NOW + timedelta(minutes=minutes)))


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_receipt_that_is_further_off_is_forged(receipts, seconds: int) -> None:
    with pytest.raises(ReceiptForged):
        receipts.read_receipts(receipt_request(at=NOW + timedelta(seconds=seconds)))


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook_signature": ""},
        {"webhook_signature": SIGNATURE},
        {"webhook_signature": "é"},
        {"webhook_id": "msg_2"},
        {"webhook_timestamp": "1700000001"},
        {"webhook_timestamp": ""},
        {"webhook_timestamp": "١٧٠٠٠٠٠٠٠٠"},
        {"webhook_timestamp": "9" * 5000},
    ],
)
def test_a_receipt_with_any_part_changed_is_forged(receipts, changed: dict[str, str]) -> None:
    with pytest.raises(ReceiptForged):
        receipts.read_receipts(receipt_request(**changed))


def test_a_receipt_with_another_body_is_forged(receipts) -> None:
    genuine = receipt_request()
    with pytest.raises(ReceiptForged):
        receipts.read_receipts(ReceiptRequest(genuine.body.replace(b"01JD", b"01JE"), {}, genuine.headers, ""))


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"id":"01JD"}', b'{"status":"delivered"}', b'{"id":7,"status":"delivered"}',
     b'{"id":"01JD","status":"lost"}', b'{"id":"01JD","status":"delivered","code":{}}'],
)  # fmt: skip
def test_a_signed_receipt_of_another_form_is_malformed(receipts, body: bytes) -> None:
    with pytest.raises(ReceiptMalformed):
        receipts.read_receipts(receipt_request(body))
