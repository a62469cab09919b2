"""The provider tencent: signature vectors, what its codes mean, and its receipts."""

import hashlib
import json

import pytest

from sms_service.providers.provider import Outcome, ProviderAnswer
from sms_service.providers.receipts import Receipt, ReceiptMalformed, ReceiptRequest, ReceiptStatus
from sms_service.providers.tencent import (
    Tencent,
    TencentCall,
    TencentKey,
    TencentReceipts,
    authorization,
    canonical_request,
)

DESCRIBE_INSTANCES = TencentCall(
    "cvm.tencentcloudapi.com",
    "cvm",
    "DescribeInstances",
    rb'{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}',
    timestamp=1551113065,
)
SEND_SMS = TencentCall(
    "sms.tencentcloudapi.com",
    "sms",
    "SendSms",
    b'{"PhoneNumberSet":["+8613800138000"],"SmsSdkAppId":"1400006666","SignName":"TestSign","TemplateId":"1234",'
    b'"TemplateParamSet":["042619","5"],"SessionContext":"01JD0V9Z3Q8W6T5R4E2Y1K7M0P"}',
    timestamp=1700000000,
)


@pytest.fixture
def tencent(make_provider) -> Tencent:
    return make_provider("tencent")


@pytest.mark.parametrize(
    ("call", "payload", "hashed"),
    [
        (
            DESCRIBE_INSTANCES,
            "35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064",
            "7019a55be8395899b900fb5564e4200d984910f34794a27cb3fb7d10ff6a1e84",
        ),
        (
            SEND_SMS,
            "1825c4d9c1b661135fadebf792b7bd4f5dce2f7deae3c3fddc9afb265d03dec1",
            "853f3ea4a4ef4daf4bf6606300804b96f2e24682a06a2f7a0ae0ce266c15929d",
        ),
    ],
)
def test_the_canonical_request_is_the_vendors(call: TencentCall, payload: str, hashed: str) -> None:
    assert canonical_request(call).endswith(f"\n{payload}")
    assert hashlib.sha256(canonical_request(call).encode()).hexdigest() == hashed


def test_the_signature_is_the_vendors_and_its_day_is_in_utc() -> None:
    assert authorization(DESCRIBE_INSTANCES, TencentKey("AKID" + "*" * 32, "*" * 32)) == (
        f"TC3-HMAC-SHA256 Credential=AKID{'*' * 32}/2019-02-25/cvm/tc3_request, "
        "SignedHeaders=content-type;host;x-tc-action, "
        "Signature=10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f"
    )


def test_an_order_is_signed_as_documented() -> None:
    assert authorization(SEND_SMS, TencentKey("AKIDEXAMPLE", "SECRETEXAMPLE")) == (
        "TC3-HMAC-SHA256 Credential=AKIDEXAMPLE/2023-11-14/sms/tc3_request, "
        "SignedHeaders=content-type;host;x-tc-action, "
        "Signature=294c5e45cd6f17aaa04b908ed89d55caac8abccbc12dd9b3b03fd53599b200a6"
    )


def test_an_order_is_sent_exactly_as_documented(tencent, vendor, sms) -> None:
    tencent.send_text(sms)
    [(_, headers, body)] = vendor.requests
    expected = SEND_SMS.body.replace(b"TestSign", rb"\u65b0\u7ecf").replace(b"1234", b"5678")
    assert body == expected
    assert headers["X-TC-Version"] == "2021-01-11"
    assert headers["X-TC-Region"] == "ap-guangzhou"
    assert headers["X-TC-Timestamp"] == "1397629230"


@pytest.mark.parametrize(
    ("word", "outcome", "code"),
    [
        ("FailedOperation.PhoneNumberInBlacklist", Outcome.REFUSED_RECIPIENT, None),
        ("InvalidParameterValue.IncorrectPhoneNumber", Outcome.REFUSED_RECIPIENT, None),
        ("UnsupportedOperation.UnsuportedRegion", Outcome.REFUSED_RECIPIENT, None),
        ("LimitExceeded.PhoneNumberThirtySecondLimit", Outcome.REFUSED_LIMIT, None),
        ("LimitExceeded.DeliveryFrequencyLimit", Outcome.REFUSED_LIMIT, None),
        ("LimitExceeded.AppDailyLimit", Outcome.REFUSED_CONFIG, None),
        ("AuthFailure", Outcome.REFUSED_CONFIG, "AuthFailure*"),
        ("AuthFailure.SecretIdNotFound", Outcome.REFUSED_CONFIG, "AuthFailure*"),
        ("UnauthorizedOperation.SdkAppIdIsDisabled", Outcome.REFUSED_CONFIG, "UnauthorizedOperation*"),
        ("FailedOperation.InsufficientBalanceInSmsPackage", Outcome.REFUSED_CONFIG, None),
        ("InvalidParameterValue.TemplateParameterFormatError", Outcome.REFUSED_CONFIG, "InvalidParameter*"),
        ("MissingParameter.EmptyPhoneNumberSet", Outcome.REFUSED_CONFIG, "MissingParameter*"),
        ("InternalError.RequestTimeException", Outcome.REFUSED_CONFIG, None),
        ("RequestLimitExceeded.IPLimitExceeded", Outcome.REFUSED_BUSY, "RequestLimitExceeded*"),
        ("InternalError", Outcome.UNCERTAIN, None),
        ("InternalError.Timeout", Outcome.UNCERTAIN, None),
        ("InternalError.SomethingNew", Outcome.UNCERTAIN, "InternalError.*"),
        ("FailedOperation.OtherError", Outcome.UNCERTAIN, None),
        ("FailedOperation.TemplateUnapprovedOrNotExist", Outcome.REFUSED_CONFIG, None),
        ("FailedOperation.SomethingNew", Outcome.REFUSED_UNLISTED, None),
    ],
)
def test_each_code_has_its_class_for_the_call_and_for_the_number(
    tencent, vendor, sms, word: str, outcome: Outcome, code: str | None
) -> None:
    vendor.play = lambda handler: handler.reply({"Response": {"Error": {"Code": word, "Message": "…"}}})
    assert tencent.send_text(sms) == ProviderAnswer(outcome, code or word)
    vendor.play = lambda handler: handler.reply({"Response": {"SendStatusSet": [{"Code": word, "SerialNo": ""}]}})
    assert tencent.send_text(sms) == ProviderAnswer(outcome, code or word)


def test_an_answer_for_two_numbers_is_not_ours(tencent, vendor, sms) -> None:
    vendor.play = lambda handler: handler.reply({"Response": {"SendStatusSet": [{"Code": "Ok"}, {"Code": "Ok"}]}})
    assert tencent.send_text(sms) == ProviderAnswer(Outcome.UNCERTAIN, "unreadable")


def test_receipts_are_read_in_their_order() -> None:
    rows = [
        {"user_receive_time": "2015-10-17 08:03:04", "nationcode": "86", "mobile": "13800138000", "sid": "8:1",
         "report_status": "SUCCESS", "errmsg": "DELIVRD", "description": "用户短信送达成功", "ext": "01JD"},
        {"report_status": "FAIL", "errmsg": "UNDELIV", "sid": "8:2"},
    ]  # fmt: skip
    reader = TencentReceipts()
    assert reader.read_receipts(ReceiptRequest(json.dumps(rows).encode(), {}, {}, "")) == [
        Receipt(ReceiptStatus.DELIVERED, "DELIVRD", "8:1", "01JD"),
        Receipt(ReceiptStatus.UNDELIVERED, "UNDELIV", "8:2"),
    ]
    assert reader.acknowledgement == {"result": 0, "errmsg": "OK"}


@pytest.mark.parametrize(
    "row", [{"sid": "s"}, {"report_status": "MAYBE", "sid": "s"}, {"report_status": "FAIL"}, {"report_status": True}]
)
def test_receipts_of_another_form_are_malformed(row: dict[str, object]) -> None:
    with pytest.raises(ReceiptMalformed):
        TencentReceipts().read_receipts(ReceiptRequest(json.dumps([row]).encode(), {}, {}, ""))
