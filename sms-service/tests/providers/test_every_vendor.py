"""What all providers over HTTP have in common, each against a server that plays its vendor."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from redis import Redis
from tenacity import Retrying, stop_after_attempt

from sms_service.codes.keys import job_key
from sms_service.codes.purposes import Notice, Purpose
from sms_service.providers.provider import Outcome, OutgoingSms, ProviderAnswer
from sms_service.queue.job import SendJob
from sms_service.routing.breaker import CircuitBreaker, ProviderHealth
from sms_service.routing.dispatcher import Dispatch, Dispatcher
from sms_service.routing.routes import Pace

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


def tencent_error(code: str) -> object:
    return {"Response": {"Error": {"Code": code, "Message": "…"}, "RequestId": "r"}}


# A no in the vendor's own form, by its code; and codes: one that no table has, and some that condemn account, signature
# or template, or tell of an internal error.
DOCUMENTS = {
    "aliyun": lambda code: {"Code": code, "Message": "…", "RequestId": "r"},
    "aliyun_pnvs": lambda code: {"Code": code, "Message": "…", "Success": False},
    "tencent": tencent_error,
    "twilio": lambda code: {"code": int(code), "message": "…", "status": 400},
    "yuntongxun": lambda code: {"statusCode": code, "statusMsg": "…"},
}
UNLISTED = {
    "aliyun": "isv.NEW_CODE",
    "aliyun_pnvs": "NEW_CODE",
    "tencent": "LimitExceeded.NewCode",
    "twilio": "29999",
    "yuntongxun": "169999",
}
CONDEMNING = [
    ("aliyun", "InvalidAccessKeyId.NotFound"), ("aliyun", "isv.SMS_TEST_SIGN_TEMPLATE_LIMIT"),
    ("aliyun", "isv.SMS_SIGNATURE_ILLEGAL"), ("aliyun", "isv.SMS_TEMPLATE_ILLEGAL"),
    ("aliyun", "isv.AMOUNT_NOT_ENOUGH"), ("aliyun", "isv.SMS_SIGN_ILLEGAL"), ("aliyun", "isv.RAM_PERMISSION_DENY"),
    ("aliyun_pnvs", "InvalidAccessKeyId.NotFound"), ("aliyun_pnvs", "isv.SMS_TEST_SIGN_TEMPLATE_LIMIT"),
    ("aliyun_pnvs", "FUNCTION_NOT_OPENED"), ("aliyun_pnvs", "isv.SMS_TEMPLATE_ILLEGAL"),
    ("tencent", "AuthFailure.SecretIdNotFound"), ("tencent", "FailedOperation.SignatureIncorrectOrUnapproved"),
    ("tencent", "FailedOperation.TemplateUnapprovedOrNotExist"),
    ("tencent", "FailedOperation.InsufficientBalanceInSmsPackage"),
    ("twilio", "20003"), ("twilio", "20404"), ("twilio", "21606"), ("twilio", "21705"),
    ("yuntongxun", "111141"), ("yuntongxun", "160012"), ("yuntongxun", "160032"), ("yuntongxun", "112307"),
]  # fmt: skip
INTERNAL = [
    ("aliyun", "isp.SYSTEM_ERROR"), ("aliyun", "isp.UNKNOWN"), ("aliyun", "ServiceUnavailable"),
    ("aliyun_pnvs", "isp.GATEWAY_ERROR"), ("aliyun_pnvs", "InternalError.Timeout"),
    ("tencent", "InternalError.NewCode"), ("twilio", "20500"), ("yuntongxun", "161021"),
]  # fmt: skip
NO_STATUSES = {name: [400, 404] if name == "twilio" else [200, 400, 404] for name in DOCUMENTS}


@pytest.fixture
def answer_of(make_provider, vendor, sms) -> Callable[..., ProviderAnswer]:
    """Return what a vendor's answer means: status, and the code of its error document or a body."""

    def send(name: str, status: int, *, code: str = "", body: object = None) -> ProviderAnswer:
        provider = make_provider(name)
        vendor.play = lambda handler: handler.reply(DOCUMENTS[name](code) if code else body, status)
        return provider.send_text(sms)

    return send


@pytest.mark.parametrize(("name", "status"), [(name, status) for name in DOCUMENTS for status in NO_STATUSES[name]])
def test_a_vendors_own_no_for_an_unlisted_reason_is_a_no_and_is_named(answer_of, name, status, log_lines) -> None:
    code = UNLISTED[name]
    assert answer_of(name, status, code=code) == ProviderAnswer(Outcome.REFUSED_UNLISTED, code)
    assert [line["answered"] for line in log_lines if line["event"] == "provider_code_unlisted"] == [code]


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_an_unlisted_no_to_the_caller_condemns_the_account(answer_of, name, status) -> None:
    assert answer_of(name, status, code=UNLISTED[name]).outcome is Outcome.REFUSED_CONFIG


@pytest.mark.parametrize(
    ("name", "code", "status"), [(name, code, status) for name, code in CONDEMNING for status in NO_STATUSES[name]]
)
def test_what_condemns_account_signature_or_template_is_a_configuration_error(answer_of, name, code, status) -> None:
    assert answer_of(name, status, code=code).outcome is Outcome.REFUSED_CONFIG


@pytest.mark.parametrize(("name", "code"), INTERNAL)
@pytest.mark.parametrize("status", [200, 400])
def test_an_internal_error_of_a_vendor_leaves_it_open(answer_of, name, code, status) -> None:
    assert answer_of(name, status, code=code).outcome is Outcome.UNCERTAIN


@pytest.mark.parametrize("status", [500, 503])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_no_with_a_server_error_leaves_it_open(answer_of, name, status) -> None:
    assert answer_of(name, status, code=UNLISTED[name]) == ProviderAnswer(Outcome.UNCERTAIN, f"http_{status}")


@pytest.mark.parametrize("body", [b"<html>404</html>", b"", {"error": "not found"}, {"message": "no Route matched"}])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_no_of_somebody_else_leaves_it_open(answer_of, name, body) -> None:
    assert answer_of(name, 404, body=body) == ProviderAnswer(Outcome.UNCERTAIN, "http_404")


@pytest.mark.parametrize("code", ["200", "ok", "Success", "坏了", "<b>"])
@pytest.mark.parametrize("name", ["aliyun", "aliyun_pnvs", "tencent"])
def test_a_code_that_is_not_like_the_vendors_leaves_it_open(answer_of, name, code) -> None:
    assert answer_of(name, 200, code=code).outcome is Outcome.UNCERTAIN


class Accepting:
    """A provider that accepts every text, and counts them."""

    name = "second"

    def __init__(self) -> None:
        self.sent = 0

    def send_text(self, _sms: OutgoingSms) -> ProviderAnswer:
        self.sent += 1
        return ProviderAnswer(Outcome.ACCEPTED)

    def supports(self, _purpose: object) -> bool:
        return True


REFUSALS = [
    ("aliyun", 404, {"Code": "InvalidAccessKeyId.NotFound"}, True),
    ("aliyun", 200, {"Code": "isv.SMS_TEST_SIGN_TEMPLATE_LIMIT"}, True),
    ("aliyun", 400, {"Code": "isv.NEW_CODE"}, False),
    ("webhook", 404, b"<html>", True),
]


@pytest.mark.parametrize(("name", "status", "body", "is_condemned"), REFUSALS)
def test_after_a_plain_no_the_second_vendor_texts(
    make_provider, vendor, sms, redis: Redis, name: str, status: int, body: object, is_condemned: bool
) -> None:
    first, second, job = make_provider(name), Accepting(), SendJob("job", "hash", 0, 2_000_000_000, "request")
    vendor.play = lambda handler: handler.reply(body, status)
    redis.hset(job_key("hash", "job"), mapping={"state": "sending", "exp": 2_000_000_000_000})
    providers: Any = {name: first, "second": second}
    health = ProviderHealth(redis)
    dispatcher = Dispatcher(
        providers=providers,
        routes={"*": {name: 9999, "second": 1}},
        breaker=CircuitBreaker(redis, dict.fromkeys(providers, Pace(sends_per_second=100, parallel_sends=10))),
        health=health,
        retrying=Retrying(stop=stop_after_attempt(1), reraise=True),
        random=Random(1),
    )
    result = dispatcher.dispatch(Dispatch(job, sms, "CN"), patience_seconds=1, pause=time.sleep)
    assert (result.provider, result.answer.outcome, second.sent) == ("second", Outcome.ACCEPTED, 1)
    assert (health.load_states([name])[name].retry_seconds > 0) is is_condemned


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
