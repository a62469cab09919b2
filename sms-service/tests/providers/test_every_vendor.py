"""What all providers over HTTP have in common, each against a server that plays its vendor."""

from datetime import UTC, datetime, timedelta

import pytest

from sms_service.codes.purposes import Notice, Purpose
from sms_service.providers.provider import Outcome, ProviderAnswer

ACCEPTED_CODES = {
    "yuntongxun": "000000",
    "aliyun": "OK",
    "aliyun_pnvs": "OK",
    "tencent": "Ok",
    "twilio": "accepted",
    "webhook": "http_200",
}


def test_a_genuine_order_is_accepted(every_vendor, vendor, sms) -> None:
    message_id = sms.job_id if every_vendor.name == "webhook" else "the-message"
    expected = ProviderAnswer(Outcome.ACCEPTED, ACCEPTED_CODES[every_vendor.name], message_id)
    assert every_vendor.send_text(sms) == expected
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("name", ACCEPTED_CODES)
def test_wrong_credentials_are_a_configuration_error(make_provider, sms, name) -> None:
    assert (
        make_provider(name, secret="another secret, also of 24 bytes").send_text(sms).outcome is Outcome.REFUSED_CONFIG
    )


def test_one_connection_serves_many_texts(every_vendor, vendor, sms) -> None:
    for _ in range(3):
        assert every_vendor.send_text(sms).outcome is Outcome.ACCEPTED
    assert vendor.connections == 1


def test_closed_connections_are_not_used_again(every_vendor, vendor, sms) -> None:
    every_vendor.send_text(sms)
    every_vendor.close_connections()
    every_vendor.send_text(sms)
    assert vendor.connections == 2


def test_too_many_requests_is_busy_for_as_long_as_the_vendor_says(every_vendor, vendor, sms) -> None:
    vendor.play = lambda handler: handler.reply(b"{}", 429, Retry_After="7")
    assert every_vendor.send_text(sms) == ProviderAnswer(Outcome.REFUSED_BUSY, "http_429", retry_after_seconds=7)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_failing_vendor_leaves_it_open_whatever_it_says(every_vendor, vendor, sms, status) -> None:
    vendor.play = lambda handler: handler.reply(vendor.part.accepted, status)
    assert every_vendor.send_text(sms) == ProviderAnswer(Outcome.UNCERTAIN, f"http_{status}")
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(every_vendor, vendor, sms, status) -> None:
    vendor.play = lambda handler: handler.reply(vendor.part.accepted, status, Location=vendor.address)
    assert every_vendor.send_text(sms).outcome is Outcome.UNCERTAIN
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("misbehaviour", ["keep_silent", "reset"])
def test_no_answer_leaves_it_open_and_nothing_is_sent_twice(every_vendor, vendor, sms, misbehaviour) -> None:
    vendor.play = lambda handler: getattr(handler, misbehaviour)()
    assert every_vendor.send_text(sms).outcome is Outcome.UNCERTAIN
    assert len(vendor.requests) == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"null", b"1", b'"OK"', b"{", b"\xff", b"[" * 50_000, b'{"x":' * 10_000, b"{}",
     b'{"statusCode":0,"Code":[],"Response":{},"code":{},"error_code":{}}',
     b'{"statusCode":"ok","Code":null,"Response":{"SendStatusSet":[]},"sid":"","error_code":null}',
     b'{"statusCode":"0","Code":7,"Response":{"SendStatusSet":[{"Code":1}]},"sid":[],"error_code":true}',
     b'{"statusCode":"00000\xd9\xa1","Code":{},"Response":{"Error":"no"},"sid":{},"error_code":1.5}',
     b'{"172001":"\xe7\xbd\x91\xe7\xbb\x9c"}'],
)  # fmt: skip
@pytest.mark.parametrize("name", ["yuntongxun", "aliyun", "aliyun_pnvs", "tencent", "twilio"])
def test_an_answer_that_cannot_be_read_leaves_it_open(make_provider, vendor, sms, name, body) -> None:
    provider = make_provider(name)
    vendor.play = lambda handler: handler.reply(body)
    assert provider.send_text(sms) == ProviderAnswer(Outcome.UNCERTAIN, "unreadable")


@pytest.mark.parametrize("name", ["yuntongxun", "aliyun", "aliyun_pnvs", "tencent", "twilio"])
def test_an_acceptance_with_an_http_error_leaves_it_open(make_provider, vendor, sms, name) -> None:
    provider = make_provider(name)
    vendor.play = lambda handler: handler.reply(vendor.part.accepted, 404)
    assert provider.send_text(sms) == ProviderAnswer(Outcome.UNCERTAIN, "http_404")


def test_who_can_tell_a_repetition_of_the_same_day(make_provider) -> None:
    now = datetime(2026, 1, 1, 3, tzinfo=UTC)
    later = {"first_sent_at": now, "at": now + timedelta(minutes=5)}
    repeating = [name for name in ACCEPTED_CODES if make_provider(name).repeats_safely(**later)]
    assert repeating == ["yuntongxun", "webhook"]


def test_who_can_tell_a_repetition_after_midnight_in_beijing(make_provider) -> None:
    midnight = datetime(2026, 1, 1, 16, tzinfo=UTC)
    later = {"first_sent_at": midnight - timedelta(seconds=1), "at": midnight + timedelta(seconds=1)}
    assert [name for name in ACCEPTED_CODES if make_provider(name).repeats_safely(**later)] == ["webhook"]


NOTICE: dict[str, object] = {"purpose": Notice.PASSWORD_CHANGED, "code": "", "text": "[Demo] changed"}


def test_vendors_with_templates_carry_notices_only_with_a_template_for_them(make_provider) -> None:
    supporting = [name for name in ACCEPTED_CODES if make_provider(name).supports(Notice.PASSWORD_CHANGED)]
    assert supporting == ["tencent", "twilio", "webhook"]
    assert all(make_provider(name).supports(purpose) for name in ACCEPTED_CODES for purpose in Purpose)


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("tencent", b'"TemplateId":"91011","TemplateParamSet":[],'),
        ("twilio", b"Body=%5BDemo%5D+changed"),
        ("webhook", b'"template":"password_changed","params":[],"text":"[Demo] changed"'),
    ],
)
def test_a_notice_has_no_parameters(make_provider, make_sms, vendor, name: str, sent: bytes) -> None:
    assert make_provider(name).send_text(make_sms(**NOTICE)).outcome is Outcome.ACCEPTED
    assert sent in vendor.requests[0][2]


def test_a_notice_at_aliyun_has_no_parameters(make_provider, make_sms, vendor) -> None:
    make_provider("aliyun").send_text(make_sms(**NOTICE | {"purpose": Notice.MOBILE_CHANGED}))
    assert vendor.requests[0][0].endswith("&TemplateCode=SMS_7")


def test_a_notice_at_yuntongxun_has_no_parameters(make_provider, make_sms, vendor) -> None:
    make_provider("yuntongxun").send_text(make_sms(**NOTICE | {"purpose": Notice.MOBILE_CHANGED}))
    assert b'"templateId":"8","datas":[],' in vendor.requests[0][2]
