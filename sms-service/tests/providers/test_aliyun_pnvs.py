"""The provider aliyun_pnvs: its request, what its codes mean, and whom it texts what."""

import hashlib
import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from chassis.mobiles import Mobile
from sms_service.codes.purposes import Notice, Purpose
from sms_service.providers.aliyun import AliyunCall, AliyunKey, AliyunReceipts, canonical_request, signed_headers
from sms_service.providers.aliyun_pnvs import AliyunPnvs
from sms_service.providers.provider import Outcome, ProviderAnswer
from sms_service.providers.receipts import Receipt, ReceiptRequest, ReceiptStatus

QUERY = (
    "AutoRetry=1&CountryCode=86&DuplicatePolicy=1&Interval=1&OutId=01JD0V9Z3Q8W6T5R4E2Y1K7M0P&PhoneNumber=13800138000"
    "&ReturnVerifyCode=false&SignName=%E9%80%9F%E9%80%9A%E4%BA%92%E8%81%94%E9%AA%8C%E8%AF%81%E7%A0%81"
    "&TemplateCode=100001&TemplateParam=%7B%22code%22%3A%22042619%22%2C%22min%22%3A%225%22%7D&ValidTime=300"
)
NAMES = "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"
NO_BODY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
CANONICAL = f"""POST
/
{QUERY}
host:dypnsapi.aliyuncs.com
x-acs-action:SendSmsVerifyCode
x-acs-content-sha256:{NO_BODY}
x-acs-date:2023-11-14T22:13:20Z
x-acs-signature-nonce:3156853299f313e23d1673dc12e1703d
x-acs-version:2017-05-25

{NAMES}
{NO_BODY}"""
# Both made of CANONICAL with openssl (dgst -sha256, and -hmac), by https://help.aliyun.com/document_detail/2593177.html.
HASHED = "c0eda75af7c422c4c6641cdf13089789502067040b5ace928cac1f45601a8985"
SIGNATURE = "8e78ba46a109afabb34a2c01f8f738dfd4d6ea94a026f66e1c93754294a7e02c"


@pytest.fixture
def pnvs(make_provider) -> AliyunPnvs:
    return make_provider("aliyun_pnvs")


def test_an_order_is_signed_as_the_vendor_documents() -> None:
    parameters = {name: values[0] for name, values in parse_qs(QUERY).items()}
    call = AliyunCall(
        "dypnsapi.aliyuncs.com",
        "SendSmsVerifyCode",
        "2017-05-25",
        parameters,
        at=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
        nonce="3156853299f313e23d1673dc12e1703d",
    )
    assert canonical_request(call) == CANONICAL
    assert hashlib.sha256(CANONICAL.encode()).hexdigest() == HASHED
    assert signed_headers(call, AliyunKey("YourAccessKeyId", "YourAccessKeySecret"))["Authorization"] == (
        f"ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders={NAMES},Signature={SIGNATURE}"
    )


def test_an_order_has_our_code_and_leaves_nothing_to_the_vendors_defaults(pnvs, vendor, sms) -> None:
    pnvs.send_text(sms)
    [(path, headers, body)] = vendor.requests
    assert path == f"/?{QUERY}"
    assert body == b""
    assert (headers["x-acs-action"], headers["x-acs-version"]) == ("SendSmsVerifyCode", "2017-05-25")
    assert headers["x-acs-date"] == "2014-04-16T06:20:30Z"


@pytest.mark.parametrize(
    ("purpose", "template"),
    [
        (Purpose.REGISTER, "100001"),
        (Purpose.LOGIN, "100001"),
        (Purpose.CHANGE_MOBILE, "100002"),
        (Purpose.RESET_PASSWORD, "100003"),
        (Purpose.REAUTHENTICATE, "100005"),
    ],
)
def test_each_purpose_has_a_template_that_the_vendor_lends(pnvs, vendor, make_sms, purpose, template) -> None:
    pnvs.send_text(make_sms(purpose=purpose, language="en", valid_minutes=10))
    parameters = parse_qs(urlsplit(vendor.requests[0][0]).query)
    assert parameters["TemplateCode"] == [template]
    assert json.loads(parameters["TemplateParam"][0]) == {"code": "042619", "min": "10"}
    assert parameters["ValidTime"] == ["600"]


@pytest.mark.parametrize("mobile", ["+85251234567", "+886912345678", "+447400123456"])
def test_a_mobile_abroad_is_refused_and_the_vendor_is_not_asked(pnvs, vendor, make_sms, mobile: str) -> None:
    assert pnvs.send_text(make_sms(mobile=Mobile(mobile))) == ProviderAnswer(Outcome.REFUSED_RECIPIENT, "abroad")
    assert vendor.requests == []


def test_codes_are_texted_and_notices_are_not(pnvs) -> None:
    assert [purpose for purpose in (*Purpose, *Notice) if pnvs.supports(purpose)] == list(Purpose)


@pytest.mark.parametrize(
    ("word", "outcome", "code"),
    [
        ("MOBILE_NUMBER_ILLEGAL", Outcome.REFUSED_RECIPIENT, None),
        ("isv.MOBILE_NUMBER_ILLEGAL", Outcome.REFUSED_RECIPIENT, None),
        ("BUSINESS_LIMIT_CONTROL", Outcome.REFUSED_LIMIT, None),
        ("isv.BUSINESS_LIMIT_CONTROL", Outcome.REFUSED_LIMIT, None),
        ("FREQUENCY_FAIL", Outcome.REFUSED_LIMIT, None),
        ("biz.FREQUENCY", Outcome.REFUSED_LIMIT, None),
        ("INVALID_PARAMETERS", Outcome.REFUSED_CONFIG, None),
        ("FUNCTION_NOT_OPENED", Outcome.REFUSED_CONFIG, None),
        ("isv.RAM_PERMISSION_DENY", Outcome.REFUSED_CONFIG, None),
        ("isv.OUT_OF_SERVICE", Outcome.REFUSED_CONFIG, None),
        ("isv.PRODUCT_UNSUBSCRIBE", Outcome.REFUSED_CONFIG, "isv.PRODUCT_UN*"),
        ("isv.INVALID_PARAMETERS", Outcome.REFUSED_CONFIG, "isv.INVALID_*"),
        ("Forbidden.NoPermission", Outcome.REFUSED_CONFIG, "Forbidden.*"),
        ("InvalidAccessKeyId.NotFound", Outcome.REFUSED_CONFIG, "InvalidAccessKeyId.*"),
        ("Throttling.User", Outcome.REFUSED_BUSY, "Throttling*"),
        ("SignatureNonceUsed", Outcome.UNCERTAIN, None),
        ("SOMETHING_NEW", Outcome.REFUSED_UNLISTED, None),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_each_code_has_its_class(pnvs, vendor, sms, word: str, outcome: Outcome, code: str | None, status: int) -> None:
    vendor.play = lambda handler: handler.reply({"Code": word, "Message": "…", "Success": False}, status)
    assert pnvs.send_text(sms) == ProviderAnswer(outcome, code or word)


@pytest.mark.parametrize("model", [None, [], "BizId", {}, {"BizId": 7}])
def test_an_acceptance_without_a_message_id_is_one(pnvs, vendor, sms, model: object) -> None:
    vendor.play = lambda handler: handler.reply({"Code": "OK", "Model": model})
    assert pnvs.send_text(sms) == ProviderAnswer(Outcome.ACCEPTED, "OK")


def test_receipts_have_the_form_of_aliyun() -> None:
    report = [
        {
            "phone_number": "13811110000",
            "send_time": "2017-01-01 00:00:00",
            "report_time": "2017-01-01 00:00:00",
            "success": True,
            "err_code": "DELIVERED",
            "err_msg": "用户接收成功",
            "sms_size": "1",
            "biz_id": "112231421412414124123^4",
            "out_id": "01JD0V9Z3Q8W6T5R4E2Y1K7M0P",
        }
    ]
    assert AliyunReceipts().read_receipts(ReceiptRequest(json.dumps(report).encode(), {}, {}, "")) == [
        Receipt(ReceiptStatus.DELIVERED, "DELIVERED", "112231421412414124123^4", "01JD0V9Z3Q8W6T5R4E2Y1K7M0P")
    ]
