"""The provider twilio: request and signature vectors, what its codes mean, and its receipts."""

import pytest

from sms_service.providers.provider import Outcome, ProviderAnswer
from sms_service.providers.receipts import Receipt, ReceiptForged, ReceiptMalformed, ReceiptRequest, ReceiptStatus
from sms_service.providers.twilio import Twilio, TwilioReceipts, build_form, sign_receipt

FORM = (
    b"To=%2B8613800138000&From=%2B15005550006&Body=%5BDemo%5D+042619+is+your+code%2C+valid+5+min&ValidityPeriod=290"
    b"&StatusCallback=https%3A%2F%2Fsms.example.com%2Fv1%2Freceipts%2Ftwilio"
)
TEXT = "[Demo] 042619 is your code, valid 5 min"
CALLBACK = "https://sms.example.com/receipts"


@pytest.fixture
def twilio(make_provider) -> Twilio:
    return make_provider("twilio")


def test_a_form_is_the_documented_one(make_sms) -> None:
    callback = "https://sms.example.com/v1/receipts/twilio"
    assert build_form(make_sms(text=TEXT), sender="+15005550006", status_callback=callback) == FORM


def test_an_order_names_the_account_and_where_receipts_go(http, vendor, make_sms) -> None:
    account = {"account_sid": "AC00000000000000000000000000000001", "auth_token": "0123456789abcdef0123456789abcdef"}
    Twilio(vendor.address, http, **account, sender="+15005550006", receipts_address=CALLBACK).send_text(
        make_sms(text=TEXT)
    )
    [(path, headers, body)] = vendor.requests
    assert path == "/2010-04-01/Accounts/AC00000000000000000000000000000001/Messages.json"
    assert headers["Authorization"] == (
        "Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMTowMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZg=="
    )
    assert body.endswith(b"&StatusCallback=https%3A%2F%2Fsms.example.com%2Freceipts%3Fjob%3D01JD0V9Z3Q8W6T5R4E2Y1K7M0P")


def test_without_a_public_address_no_receipts_are_asked_for(twilio, vendor, sms) -> None:
    twilio.send_text(sms)
    assert b"StatusCallback" not in vendor.requests[0][2]


@pytest.mark.parametrize(("left", "period"), [(-3, 1), (0, 1), (1, 1), (290, 290), (36_000, 36_000), (36_001, 36_000)])
def test_a_text_is_worth_sending_as_long_as_its_code_lives(make_sms, left: int, period: int) -> None:
    form = build_form(make_sms(left_seconds=left), sender="Xinjing", status_callback=None)
    assert form.endswith(f"&ValidityPeriod={period}".encode())


def test_a_messaging_service_takes_the_place_of_a_number(sms) -> None:
    form = build_form(sms, sender="MG0123456789abcdef0123456789abcdef", status_callback=None)
    assert b"&MessagingServiceSid=MG0123456789abcdef0123456789abcdef&" in form
    assert b"From=" not in form


@pytest.mark.parametrize(
    ("number", "outcome"),
    [
        (21211, Outcome.REFUSED_RECIPIENT),
        (21408, Outcome.REFUSED_RECIPIENT),
        (21610, Outcome.REFUSED_RECIPIENT),
        (21614, Outcome.REFUSED_RECIPIENT),
        (60203, Outcome.REFUSED_LIMIT),
        (21606, Outcome.REFUSED_CONFIG),
        (20003, Outcome.REFUSED_CONFIG),
        (21617, Outcome.REFUSED_CONFIG),
        (20429, Outcome.REFUSED_BUSY),
        (21611, Outcome.REFUSED_BUSY),
        (20500, Outcome.UNCERTAIN),
    ],
)
@pytest.mark.parametrize("spelling", [int, str])
def test_each_code_has_its_class(twilio, vendor, sms, number: int, outcome: Outcome, spelling: type) -> None:
    error = {"code": spelling(number), "message": "…", "more_info": "…", "status": 400}
    vendor.play = lambda handler: handler.reply(error, 400)
    assert twilio.send_text(sms) == ProviderAnswer(outcome, str(number))


@pytest.mark.parametrize("number", [30001, 30036, 99999])
def test_a_message_with_an_unlisted_code_may_have_gone_out(twilio, vendor, sms, number: int) -> None:
    vendor.play = lambda handler: handler.reply({"sid": "SM1", "status": "failed", "error_code": number}, 201)
    assert twilio.send_text(sms) == ProviderAnswer(Outcome.UNCERTAIN, str(number), "SM1")


def test_a_message_that_failed_at_once_was_refused(twilio, vendor, sms) -> None:
    vendor.play = lambda handler: handler.reply({"sid": "SM1", "status": "failed", "error_code": 21610}, 201)
    assert twilio.send_text(sms) == ProviderAnswer(Outcome.REFUSED_RECIPIENT, "21610", "SM1")


def test_the_signature_of_receipts_is_the_vendors() -> None:
    form = {"Digits": "1234", "To": "+18005551212", "From": "+14158675309", "Caller": "+14158675309"}
    form |= {"CallSid": "CA1234567890ABCDE"}
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert sign_receipt("12345", url, form) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


def receipt_request(form: dict[str, str], *, query: str = "?job=01JD", signed_with: str = "token") -> ReceiptRequest:
    url = f"{CALLBACK}{query}"
    return ReceiptRequest(b"", form, {"x-twilio-signature": sign_receipt(signed_with, url, form)}, url)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("queued", ReceiptStatus.UNDERWAY),
        ("sent", ReceiptStatus.UNDERWAY),
        ("a later invention", ReceiptStatus.UNDERWAY),
        ("delivered", ReceiptStatus.DELIVERED),
        ("undelivered", ReceiptStatus.UNDELIVERED),
        ("failed", ReceiptStatus.UNDELIVERED),
    ],
)
def test_a_receipt_says_what_became_of_a_text(word: str, status: ReceiptStatus) -> None:
    form = {"MessageSid": "SM1", "MessageStatus": word, "ErrorCode": "30003", "AccountSid": "AC1"}
    assert TwilioReceipts("token").read_receipts(receipt_request(form)) == [Receipt(status, "30003", "SM1", "01JD")]


def test_a_receipt_need_not_name_a_job_or_a_code() -> None:
    form = {"MessageSid": "SM1", "MessageStatus": "delivered"}
    [receipt] = TwilioReceipts("token").read_receipts(receipt_request(form, query=""))
    assert receipt == Receipt(ReceiptStatus.DELIVERED, message_id="SM1")


def test_a_receipt_signed_with_another_token_is_forged() -> None:
    form = {"MessageSid": "SM1", "MessageStatus": "delivered"}
    with pytest.raises(ReceiptForged):
        TwilioReceipts("token").read_receipts(receipt_request(form, signed_with="another"))


@pytest.mark.parametrize("headers", [{}, {"x-twilio-signature": ""}, {"x-twilio-signature": "é"}])
def test_a_receipt_without_a_signature_is_forged(headers: dict[str, str]) -> None:
    with pytest.raises(ReceiptForged):
        TwilioReceipts("token").read_receipts(ReceiptRequest(b"", {"MessageSid": "SM1"}, headers, CALLBACK))


def test_the_job_in_the_address_is_signed_too() -> None:
    form = {"MessageSid": "SM1", "MessageStatus": "delivered"}
    genuine = receipt_request(form)
    moved = ReceiptRequest(b"", form, genuine.headers, f"{CALLBACK}?job=another")
    with pytest.raises(ReceiptForged):
        TwilioReceipts("token").read_receipts(moved)


@pytest.mark.parametrize("form", [{}, {"MessageSid": "SM1"}, {"MessageStatus": "sent"}])
def test_a_receipt_of_another_form_is_malformed(form: dict[str, str]) -> None:
    with pytest.raises(ReceiptMalformed):
        TwilioReceipts("token").read_receipts(receipt_request(form))
