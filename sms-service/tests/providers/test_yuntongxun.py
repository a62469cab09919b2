"""The provider yuntongxun: a signature vector, and what its status codes mean."""

import re
from datetime import UTC, datetime

import pytest

from chassis.mobiles import Mobile
from sms_service.providers.provider import Outcome, ProviderAnswer
from sms_service.providers.yuntongxun import Yuntongxun, YuntongxunAccount, authorization, signature

ACCOUNT = YuntongxunAccount(
    sid="8a216da8000000000000000000000001",
    auth_token="0123456789abcdef0123456789abcdef",
    app_id="8a216da8000000000000000000000002",
)
TIMESTAMP = "20140416142030"
SIGNATURE = "AE3E2261958BE9272C4667A67C67B5C5"
AUTHORIZATION = "OGEyMTZkYTgwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDE6MjAxNDA0MTYxNDIwMzA="
BODY = (
    b'{"to":"13800138000","appId":"8a216da8000000000000000000000002","templateId":"1",'
    b'"datas":["042619","5"],"reqId":"01JD0V9Z3Q8W6T5R4E2Y1K7M0P"}'
)


@pytest.fixture
def yuntongxun(make_provider) -> Yuntongxun:
    return make_provider("yuntongxun")


def test_the_signature_is_the_vendors() -> None:
    assert signature(ACCOUNT, TIMESTAMP) == SIGNATURE
    assert authorization(ACCOUNT, TIMESTAMP) == AUTHORIZATION


def test_an_order_is_sent_exactly_as_documented(http, vendor, templates, sms) -> None:
    now = datetime(2014, 4, 16, 6, 20, 30, tzinfo=UTC)  # 14:20:30 in Beijing.
    Yuntongxun(f"{vendor.address}/", ACCOUNT, http, templates=templates, clock=lambda: now).send_text(sms)
    [(path, headers, body)] = vendor.requests
    assert path == f"/2013-12-26/Accounts/{ACCOUNT.sid}/SMS/TemplateSMS?sig={SIGNATURE}"
    assert headers["Authorization"] == AUTHORIZATION
    assert body == BODY


def test_the_job_ids_are_acceptable_request_ids(sms) -> None:
    assert re.fullmatch(r"[0-9A-Za-z]{1,32}", sms.job_id)


def test_numbers_abroad_are_refused_before_anything_is_sent(yuntongxun, vendor, make_sms) -> None:
    answer = yuntongxun.send_text(make_sms(mobile=Mobile("+886912345678")))
    assert answer == ProviderAnswer(Outcome.REFUSED_RECIPIENT, "abroad")
    assert vendor.requests == []


@pytest.mark.parametrize("spelling", ["templateSMS", "TemplateSMS"])
def test_the_message_id_is_found_in_both_spellings(yuntongxun, vendor, sms, spelling: str) -> None:
    vendor.play = lambda handler: handler.reply({"statusCode": "000000", spelling: {"smsMessageSid": " ff81"}})
    assert yuntongxun.send_text(sms).message_id == "ff81"


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("160054", Outcome.ACCEPTED),  # Our earlier attempt landed.
        ("160042", Outcome.REFUSED_RECIPIENT),
        ("160073", Outcome.REFUSED_RECIPIENT),
        ("160062", Outcome.REFUSED_RECIPIENT),
        ("112310", Outcome.REFUSED_RECIPIENT),
        ("160038", Outcome.REFUSED_LIMIT),
        ("160040", Outcome.REFUSED_LIMIT),
        ("112314", Outcome.REFUSED_LIMIT),
        ("111109", Outcome.REFUSED_CONFIG),
        ("161106", Outcome.REFUSED_CONFIG),
        ("160012", Outcome.REFUSED_CONFIG),
        ("160032", Outcome.REFUSED_CONFIG),
        ("112313", Outcome.REFUSED_CONFIG),
        ("160016", Outcome.REFUSED_BUSY),
        ("160010", Outcome.REFUSED_BUSY),
        ("161012", Outcome.REFUSED_BUSY),
        ("160000", Outcome.UNCERTAIN),
        ("161021", Outcome.UNCERTAIN),
    ],
)
def test_each_status_code_has_its_class(yuntongxun, vendor, sms, code: str, outcome: Outcome) -> None:
    vendor.play = lambda handler: handler.reply({"statusCode": code, "statusMsg": "…"})
    assert yuntongxun.send_text(sms) == ProviderAnswer(outcome, code)


def test_a_status_code_of_the_old_sdk_leaves_it_open(yuntongxun, vendor, sms) -> None:
    vendor.play = lambda handler: handler.reply({"statusCode": "172001"})
    assert yuntongxun.send_text(sms) == ProviderAnswer(Outcome.UNCERTAIN, "172*")
