"""Whom we text: the allow-list of countries, test numbers, and the language of the text."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from redis import Redis

from chassis.errors import MobileInvalid
from chassis.settings import load_settings
from sms_service.app import create_app
from sms_service.codes.recipients import Recipients
from sms_service.providers.inbox import Inbox
from sms_service.settings import Settings

pytestmark = pytest.mark.usefixtures("living_worker")

TEST = "+8613800138000:123456:2099-12-31"


@pytest.fixture
def post(make_settings, captcha_address, captcha_stub, called_by) -> Callable[..., Any]:
    """Ask an app with other settings for a code, and answer it with the app's client."""

    def send(mobile: str = "13800138000", *, headers: dict[str, str] | None = None, **changed: Any) -> Any:
        client = create_app(make_settings(captcha_service_url=captcha_address, **changed)).test_client()
        captcha_stub.answers["one"] = "AB3D"
        body = {"mobile": mobile, "purpose": "register", "captcha_id": "one", "captcha_text": "AB3D"}
        return client.post("/api/v1/sms-codes", json=body, headers=called_by("sms-service") | (headers or {}))

    return send


def jobs(redis: Redis) -> list[Any]:
    return [redis.hgetall(key) for key in redis.keys("sms:job:*")]


@pytest.mark.parametrize(
    "mobile",
    ["+12025550123", "+447400123456", "+1 900 555 0123", "010 6552 9988", "+8811234567", "+86 138 0013 8000 x1"],
)
def test_T19_what_is_outside_of_the_allow_list_is_refused_before_the_captcha(post, captcha_stub, mobile: str) -> None:
    answer = post(mobile)
    assert (answer.status_code, answer.json["code"]) == (400, "mobile_invalid")
    assert captcha_stub.calls == []


def test_a_country_can_be_allowed(post, redis: Redis) -> None:
    assert post("+447400123456", countries="CN, GB").status_code == 202
    assert [job["country"] for job in jobs(redis)] == ["GB"]


def test_T19_a_premium_number_is_refused_in_an_allowed_country(post) -> None:
    assert post("+1 900 555 0123", countries="CN,US").json["code"] == "mobile_invalid"


@pytest.mark.parametrize(
    ("mobile", "accepted", "language"),
    [
        ("13800138000", None, "zh"),
        ("+85251234567", None, "zh"),
        ("+85366123456", None, "zh"),
        ("+886912345678", None, "zh"),
        ("+447400123456", None, "en"),
        ("+447400123456", "*", "en"),
        ("+447400123456", "zh-Hans-CN,zh;q=0.9,en;q=0.5", "zh"),
        ("13800138000", "en-GB, zh;q=0.5", "en"),
        ("13800138000", "de, fr;q=0.5", "zh"),
        ("13800138000", "en;q=0, de", "zh"),
        ("13800138000", "zh;q=0.4, EN-us;q=0.8", "en"),
        ("13800138000", "*", "zh"),
        ("13800138000", "\x01;;q=nonsense", "zh"),
    ],
)
def test_the_text_is_in_the_language_of_the_request_or_the_country(
    post, redis: Redis, mobile: str, accepted: str | None, language: str
) -> None:
    headers = {} if accepted is None else {"Accept-Language": accepted}
    assert post(mobile, headers=headers, countries="CN,HK,MO,TW,GB").status_code == 202
    assert [job["language"] for job in jobs(redis)] == [language]


def test_a_test_number_has_its_fixed_code_and_no_text(post, consume, redis: Redis, work, inbox: Inbox) -> None:
    answer = post(test_mobiles=TEST)
    assert (answer.status_code, answer.json) == (202, {"expires_in": 300, "resend_after": 60})
    assert [key for key in redis.keys("*") if redis.type(key) == "stream"] == []
    assert (work(), inbox.messages()) == (0, [])
    assert not {"code_sealed", "mobile_sealed"} & set(jobs(redis)[0])
    assert consume("654321").json == {"verified": False, "attempts_left": 4}
    assert consume("123456").json["verified"] is True
    assert consume("123456").json["code"] == "sms_code_expired"


def test_the_digits_of_a_code_are_picked_out(post, consume) -> None:
    assert post(test_mobiles=TEST).status_code == 202
    for text in ("12345", "1234566", "123456\u00b2"):
        assert consume(text).json["verified"] is False
    assert consume("\u2068１２３\u2011４５６\u2069").json["verified"] is True


def test_a_copied_test_number_is_read(make_settings) -> None:
    copied = "\u202d+86 138\u00a00013\u20118000\u202c:123456: 2099-12-31"
    (test,) = make_settings(test_mobiles=copied).test_mobiles
    assert (test.mobile, test.code, test.last_day) == ("+8613800138000", "123456", date(2099, 12, 31))


def test_captcha_and_limits_hold_for_a_test_number(post, captcha_stub) -> None:
    assert post(test_mobiles=TEST).status_code == 202
    assert post(test_mobiles=TEST).json["code"] == "too_many_requests"
    assert len(captcha_stub.calls) == 2


def test_other_numbers_are_texted_beside_a_test_number(post, work, inbox: Inbox) -> None:
    assert post("13900139000", test_mobiles=TEST).status_code == 202
    work()
    assert len(inbox.messages()) == 1


def test_a_test_number_ends_with_its_last_day(make_settings) -> None:
    days = [date(2026, 12, 31)]
    tests = make_settings(test_mobiles="+8613800138000:123456:2026-12-31").test_mobiles
    recipients = Recipients(["CN"], tests, today=lambda: days[-1])
    assert recipients.parse_recipient("138 0013 8000").fixed_code == "123456"
    days.append(date(2027, 1, 1))
    with pytest.raises(MobileInvalid):
        recipients.parse_recipient("138 0013 8000")


def test_an_outdated_test_number_is_warned_of_at_start(make_settings, log_lines) -> None:
    tests = make_settings(
        test_mobiles="+8613800138000:123456:2020-12-31, +8613900139000:123456:2099-12-31"
    ).test_mobiles
    Recipients(["CN"], tests)
    assert [(line["event"], line["log_level"], line["mobiles"]) for line in log_lines] == [
        ("test_mobiles_outdated", "warning", ["+86138****8000"])
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMS_COUNTRIES", "CN,UK"),
        ("SMS_COUNTRIES", ","),
        ("SMS_RESEND_INTERVALS_SECONDS", "60,0"),
        ("SMS_RESEND_INTERVALS_SECONDS", ","),
        ("SMS_RESEND_INTERVALS_SECONDS", "soon"),
        ("SMS_TEST_MOBILES", "+8613800138000:123456"),
        ("SMS_TEST_MOBILES", "+8613800138000:12345:2099-12-31"),
        ("SMS_TEST_MOBILES", "1380013800:123456:2099-12-31"),
        ("SMS_TEST_MOBILES", "+8613800138000:123456:someday"),
        ("SMS_WRONG_TRIES_BEFORE_STOP", "101"),
        ("SMS_SENDS_PER_DAY", "0"),
    ],
)
def test_a_malformed_limit_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        load_settings(Settings)
    message = capsys.readouterr().err
    assert f"{name}: " in message
    assert "1380013800" not in message


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch, make_settings) -> None:
    monkeypatch.setenv("SMS_COUNTRIES", "CN, HK")
    monkeypatch.setenv("SMS_RESEND_INTERVALS_SECONDS", "60, 600")
    settings = make_settings()
    assert (settings.countries, settings.resend_intervals_seconds) == (("CN", "HK"), (60, 600))
