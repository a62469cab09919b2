"""The provider aliyun: signature vectors, what its codes mean, and its receipts."""

import hashlib
from datetime import UTC, datetime

import pytest

from chassis.mobiles import Mobile
from sms_service.providers.aliyun import (
    Aliyun,
    AliyunCall,
    AliyunKey,
    AliyunReceipts,
    canonical_request,
    signed_headers,
)
from sms_service.providers.provider import Outcome, ProviderAnswer
from sms_service.providers.receipts import Receipt, ReceiptMalformed, ReceiptRequest, ReceiptStatus

NONCE = "3156853299f313e23d1673dc12e1703d"
NAMES = "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"
RUN_INSTANCES = AliyunCall(
    "ecs.cn-shanghai.aliyuncs.com",
    "RunInstances",
    "2014-05-26",
    {"RegionId": "cn-shanghai", "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"},
    at=datetime(2023, 10, 26, 10, 22, 32, tzinfo=UTC),
    nonce=NONCE,
)
SEND_SMS = AliyunCall(
    "dysmsapi.aliyuncs.com",
    "SendSms",
    "2017-05-25",
    {
        "TemplateParam": '{"code":"042619"}',
        "TemplateCode": "SMS_154950909",
        "SignName": "阿里云短信测试",
        "PhoneNumbers": "13800138000",
        "OutId": "01JD0V9Z3Q8W6T5R4E2Y1K7M0P",
    },
    at=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
    nonce=NONCE,
)
SEND_SMS_QUERY = (
    "OutId=01JD0V9Z3Q8W6T5R4E2Y1K7M0P&PhoneNumbers=13800138000"
    "&SignName=%E9%98%BF%E9%87%8C%E4%BA%91%E7%9F%AD%E4%BF%A1%E6%B5%8B%E8%AF%95&TemplateCode=SMS_154950909"
    "&TemplateParam=%7B%22code%22%3A%22042619%22%7D"
)


@pytest.fixture
def aliyun(make_provider) -> Aliyun:
    return make_provider("aliyun")


@pytest.mark.parametrize(
    ("call", "hashed", "signature"),
    [
        (
            RUN_INSTANCES,
            "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259",
            "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0",
        ),
        (
            SEND_SMS,
            "0ce1c1091ce157e11066dc3612d4d15e6ecc7863f5ecaf3580780ce83030974d",
            "96170ed744d2b3fa29fb08e48744ac189e21105e3feda33fc4a1fcb1b8933216",
        ),
    ],
)
def test_the_signature_is_the_vendors(call: AliyunCall, hashed: str, signature: str) -> None:
    key = AliyunKey("YourAccessKeyId", "YourAccessKeySecret")
    assert hashlib.sha256(canonical_request(call).encode()).hexdigest() == hashed
    assert signed_headers(call, key)["Authorization"] == (
        f"ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders={NAMES},Signature={signature}"
    )


def test_the_query_is_sorted_and_escaped_as_the_vendor_does() -> None:
    assert SEND_SMS.query == SEND_SMS_QUERY


def test_an_order_names_job_number_sign_template_code_and_minutes(aliyun, vendor, sms) -> None:
    aliyun.send_text(sms)
    [(path, headers, body)] = vendor.requests
    assert path == (
        "/?OutId=01JD0V9Z3Q8W6T5R4E2Y1K7M0P&PhoneNumbers=13800138000&SignName=%E6%96%B0%E7%BB%8F%20A%2A~"
        "&TemplateCode=SMS_154950909&TemplateParam=%7B%22code%22%3A%22042619%22%2C%22minutes%22%3A%225%22%7D"
    )
    assert body == b""
    assert headers["x-acs-date"] == "2014-04-16T06:20:30Z"
    assert (headers["x-acs-action"], headers["x-acs-version"]) == ("SendSms", "2017-05-25")


def test_numbers_abroad_have_their_country_code_and_no_plus(aliyun, vendor, make_sms) -> None:
    aliyun.send_text(make_sms(mobile=Mobile("+447400123456")))
    assert "&PhoneNumbers=447400123456&" in vendor.requests[0][0]


def test_each_call_has_a_nonce_of_its_own(aliyun, vendor, sms) -> None:
    aliyun.send_text(sms)
    aliyun.send_text(sms)
    assert len({headers["x-acs-signature-nonce"] for _, headers, _ in vendor.requests}) == 2


@pytest.mark.parametrize(
    ("word", "outcome", "code"),
    [
        ("isv.MOBILE_NUMBER_ILLEGAL", Outcome.REFUSED_RECIPIENT, None),
        ("isv.BLACK_KEY_CONTROL_LIMIT", Outcome.REFUSED_RECIPIENT, None),
        ("isv.BUSINESS_LIMIT_CONTROL", Outcome.REFUSED_LIMIT, None),
        ("isv.DAY_LIMIT_CONTROL", Outcome.REFUSED_CONFIG, None),
        ("isv.AMOUNT_NOT_ENOUGH", Outcome.REFUSED_CONFIG, None),
        ("isv.ACCOUNT_ABNORMAL", Outcome.REFUSED_CONFIG, "isv.ACCOUNT_*"),
        ("isv.PRODUCT_UN_SUBSCRIPT", Outcome.REFUSED_CONFIG, "isv.PRODUCT_UN*"),
        ("isv.SMS_SIGNATURE_SCENE_ILLEGAL", Outcome.REFUSED_CONFIG, "isv.SMS_SIGNATURE_*"),
        ("isv.TEMPLATE_MISSING_PARAMETERS", Outcome.REFUSED_CONFIG, "isv.TEMPLATE_*"),
        ("isv.INVALID_PARAMETERS", Outcome.REFUSED_CONFIG, "isv.INVALID_*"),
        ("InvalidTimeStamp.Expired", Outcome.REFUSED_CONFIG, None),
        ("InvalidAccessKeyId.NotFound", Outcome.REFUSED_CONFIG, "InvalidAccessKeyId.*"),
        ("Forbidden.NoPermission", Outcome.REFUSED_CONFIG, "Forbidden.*"),
        ("Throttling.User", Outcome.REFUSED_BUSY, "Throttling*"),
        ("isp.SYSTEM_ERROR", Outcome.UNCERTAIN, None),
        ("SignatureNonceUsed", Outcome.UNCERTAIN, None),
        ("isp.GATEWAY_ERROR", Outcome.UNCERTAIN, "isp.*"),
        ("isv.SMS_TEST_SIGN_TEMPLATE_LIMIT", Outcome.REFUSED_CONFIG, "isv.SMS_TEST_*"),
        ("isv.SOMETHING_NEW", Outcome.REFUSED_UNLISTED, None),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_each_code_has_its_class(
    aliyun, vendor, sms, word: str, outcome: Outcome, code: str | None, status: int
) -> None:
    vendor.play = lambda handler: handler.reply({"Code": word, "Message": "…"}, status)
    assert aliyun.send_text(sms) == ProviderAnswer(outcome, code or word)


REPORT = (
    b'[{"phone_number":"13800138000","send_time":"2017-08-30 00:00:00","report_time":"2017-08-30 00:00:00",'
    b'"success":true,"err_code":"DELIVERED","err_msg":"ok","sms_size":"1","biz_id":"932702304080415357^0",'
    b'"out_id":"01JD0V9Z3Q8W6T5R4E2Y1K7M0P"},{"success":false,"err_code":"MOBILE_NOT_ON_SERVICE","biz_id":"b"}]'
)


def test_receipts_are_read_in_their_order() -> None:
    reader = AliyunReceipts()
    assert reader.read_receipts(ReceiptRequest(REPORT, {}, {}, "")) == [
        Receipt(ReceiptStatus.DELIVERED, "DELIVERED", "932702304080415357^0", "01JD0V9Z3Q8W6T5R4E2Y1K7M0P"),
        Receipt(ReceiptStatus.UNDELIVERED, "MOBILE_NOT_ON_SERVICE", "b"),
    ]
    assert reader.acknowledgement["code"] == 0


@pytest.mark.parametrize(
    "body",
    [b'[{"biz_id":"b"}]', b'[{"success":"true","biz_id":"b"}]', b'[{"success":1,"biz_id":"b"}]', b'[{"success":true}]',
     b'[{"success":true,"biz_id":""}]', b'[{"success":true,"biz_id":"b","out_id":7}]'],
)  # fmt: skip
def test_receipts_of_other_types_are_malformed(body: bytes) -> None:
    with pytest.raises(ReceiptMalformed):
        AliyunReceipts().read_receipts(ReceiptRequest(body, {}, {}, ""))
