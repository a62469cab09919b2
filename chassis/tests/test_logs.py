import contextlib
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from chassis.logs import MASK, configure_logs, mask_event, mask_text
from chassis.tracing import begin_request

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("13800138000", "138****8000"),
        ("8613800138000", "86138****8000"),
        ("+8613800138000", "+86138****8000"),
        ("008613800138000", "0086138****8000"),
        ("138 0013 8000", "138 **** 8000"),
        ("138-0013-8000", "138-****-8000"),
        ("138.0013.8000", "138.****.8000"),
        ("138 001 38000", "138 *** *8000"),
        ("+86 138 0013 8000", "+86 138 **** 8000"),
        ("+86 (138) 0013-8000", "+86 (138) ****-8000"),
        ("+86-138-0013-8000", "+86-138-****-8000"),
        ("19912345678", "199****5678"),
        ("+12025550123", "+120****0123"),
        ("+44 7911 123456", "+44 79** **3456"),
        ("sms:live:+8613800138000:login", "sms:live:+86138****8000:login"),
        ("/messages?mobile=%2B8613800138000&a=1", "/messages?mobile=%2B86138****8000&a=1"),
        ("status 200 13800138000 20 ms", "status 200 138****8000 20 ms"),
        ("'mobile': '13800138000'", "'mobile': '138****8000'"),
        (r"'line\n13800138000'", r"'line\n138****8000'"),
        ("手机13800138000。", "手机138****8000。"),
        ("13800138000,13900139000", "138****8000,139****9000"),
    ],
)
def test_mobiles_lose_four_digits(text: str, masked: str) -> None:
    assert mask_text(text) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"token {JWT} end", f"token {MASK} end"),
        ("Authorization: Bearer c2VjcmV0LXRva2VuLTEyMw==", f"Authorization: Bearer {MASK}"),
        ("redis://:hunter2@redis:6379/0", f"redis://:{MASK}@redis:6379/0"),
        ("mysql+pymysql://user:hun@ter2@db/user", f"mysql+pymysql://user:{MASK}@db/user"),
        ("amqp://sms:hunter2@mq/%2F and more", f"amqp://sms:{MASK}@mq/%2F and more"),
    ],
)
def test_secrets_inside_texts_are_hidden(text: str, masked: str) -> None:
    assert mask_text(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "3f2504e04f8911d39a0c0305e82c3301",
        "13800138000abcdef1380013800012345",
        "3f250413-8001-4800-9a0c-030513800138",
        "13800138-0001-4380-8001-138001380001",
        "2026-11-24T00:02:34.123456Z",
        "2026-11-24 00:02:34+00:00",
        "article 151 2026-11-24 08:00",
        "1763942554",
        "1763942554123",
        "1763942554.13912345678",
        "took 0.13912345678 s",
        "article 12345678 of 99999999999",
        "172.16.100.100 172.16.100.101:8000",
        "192.168.100.101",
        "http://user-service:8000/internal/users?id=1&id=2",
        "http://127.0.0.1:8000/passport/register",
        "someone@example.org",
        "Bearer authentication failed",
        "0.000138001380001",
        "+0000 200 1234",
    ],
)
def test_nothing_else_is_harmed(text: str) -> None:
    assert mask_text(text) == text


@pytest.mark.parametrize(
    "name",
    [
        "password", "new_password", "Authorization", "X-Internal-Token", "refresh_token", "refreshToken", "Set-Cookie",
        "sms_code", "captcha_text", "answer", "private_key", "API_KEY", "X-Api-Key", "client_secret",
        "internal_token_key",
    ],
)  # fmt: skip
def test_values_under_secret_names_are_hidden(name: str) -> None:
    event = mask_event(None, "info", {name: "hunter2", "inner": [{name: ["hunter2"]}]})
    assert event == {name: MASK, "inner": [{name: MASK}]}


def test_an_sms_code_in_a_dumped_body_is_hidden() -> None:
    assert mask_event(None, "info", {"body": {"code": "123456"}}) == {"body": {"code": MASK}}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("code", "sms_code_wrong"),
        ("status_code", 503),
        ("exit_code", 1),
        ("event", "request"),
        ("route", "/api/v1/tokens/refresh"),
        ("article_id", 12345678),
        ("published_at", 1763942554),
        ("seconds", 0.13912345678),
        ("up", True),
        ("context", "list"),
        ("nothing", None),
    ],
)
def test_values_under_other_names_stay(name: str, value: Any) -> None:
    assert mask_event(None, "info", {name: value}) == {name: value}


def test_mobiles_are_found_wherever_they_stand() -> None:
    event = {
        "a": 13800138000,
        "b": ("13800138000",),
        "c": ValueError("13800138000"),
        "d": {"13800138000": b"13800138000"},
    }
    masked = str(mask_event(None, "info", event))
    assert masked.count("138****8000") == 5
    assert "0013" not in masked


Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture(params=["masked"])
def lines(request: pytest.FixtureRequest) -> Iterator[Lines]:
    """Configure the logs as a service does, and read what was written to stderr."""
    root = logging.getLogger()
    handlers, level, written = root.handlers[:], root.level, io.StringIO()
    with contextlib.redirect_stderr(written):
        configure_logs("shop-service", client_addresses=request.param)
    yield lambda: [json.loads(line) for line in written.getvalue().split("\n")[:-1]]
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def test_a_line_is_one_json_object_with_time_service_and_request(lines: Lines) -> None:
    begin_request("abc")
    structlog.get_logger().info("sent", mobile="13800138000", sms_code="123456", name="新闻")
    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    assert (len(line.pop("trace_id")), len(line.pop("span_id"))) == (32, 16)
    assert line == {
        "event": "sent",
        "level": "info",
        "service": "shop-service",
        "request_id": "abc",
        "mobile": "138****8000",
        "sms_code": MASK,
        "name": "新闻",
    }


ADDRESSES = ("203.0.113.9", "2001:db8:1:2:3:4:5:6", "::ffff:203.0.113.9", "nonsense")


def test_of_a_clients_address_the_network_is_logged(lines: Lines) -> None:
    for address in ADDRESSES:
        structlog.get_logger().info("request", client_ip=address)
    assert [line["client_ip"] for line in lines()] == ["203.0.113.0/24", "2001:db8:1::/48", "203.0.113.0/24", ""]


@pytest.mark.parametrize("lines", ["whole"], indirect=True)
def test_addresses_may_be_logged_whole(lines: Lines) -> None:
    for address in ADDRESSES:
        structlog.get_logger().info("request", client_ip=address)
    assert [line["client_ip"] for line in lines()] == list(ADDRESSES)


HOSTILE = st.one_of(
    st.text(),
    st.sampled_from(
        [
            "13800138000", "+86-138-0013-8000", f"GET {JWT}", JWT, "Bearer c2VjcmV0LXRva2VuLTEyMw==",
            "redis://:hunter2@redis:6379/0", '"},{"event":"forged', "a\nb\r\u2028c", "\x00\x1b[31m", "\\", "新闻",
            "203.0.113.9", "2001:db8:1:2:3:4:5:6", "1" * 18, "3f2504e04f8911d39a0c0305e82c3301", "0086" + "1" * 20,
            "00" + "1" * 15, "00" + "1" * 16, "%2B8613800138000", "\ud800", "x" * 9 + "\n13800138000",
        ]
    ),
)  # fmt: skip
FIELDS = st.fixed_dictionaries(
    {"method": HOSTILE, "route": HOSTILE, "status": st.integers(), "seconds": st.floats(allow_nan=False)},
    optional={
        "client_ip": HOSTILE,
        "error": HOSTILE,
        "password": HOSTILE,
        "code": HOSTILE,
        "user_id": st.one_of(st.none(), st.integers(), st.just(13800138000), HOSTILE),
    },
)


@given(fields=FIELDS, request_id=HOSTILE)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("lines", ["masked", "whole"], indirect=True)
def test_the_line_of_a_request_is_what_any_other_line_would_be(
    lines: Lines, fields: dict[str, Any], request_id: str
) -> None:
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        structlog.get_logger().info("request", **fields)
        structlog.get_logger().info("a request", **fields)
    request, other = lines()[-2:]
    assert list(request) == list(other)
    assert (request.pop("event"), other.pop("event")) == ("request", "a request")
    assert request.pop("timestamp") <= other.pop("timestamp")
    assert request == other
    assert request["request_id"] == mask_text(request_id)


def test_the_line_of_a_request_tells_numbers_from_each_other(lines: Lines) -> None:
    for status in (1, True, 1.0, "1"):
        structlog.get_logger().info("request", status=status)
    assert [repr(line["status"]) for line in lines()] == ["1", "True", "1.0", "'1'"]


def test_an_id_that_is_a_token_or_a_mobile_is_masked_in_the_line_of_a_request(lines: Lines) -> None:
    for offered in (JWT, "13800138000", "+8613800138000", "id:13800138000"):
        begin_request(offered)
        structlog.get_logger().info("request", status=200)
    assert [line["request_id"] for line in lines()] == [MASK, "138****8000", "+86138****8000", "id:138****8000"]


class Stream(io.StringIO):
    """Remembers what was there at each flush."""

    def __init__(self) -> None:
        super().__init__()
        self.flushed: list[str] = []

    def flush(self) -> None:
        self.flushed.append(self.getvalue())


@pytest.mark.parametrize("kind", [structlog.get_logger, logging.getLogger], ids=["ours", "library"])
def test_every_other_line_flushes_those_of_requests_before_it(lines: Lines, kind: Callable[[], Any]) -> None:
    stream = Stream()
    with contextlib.redirect_stderr(stream):
        configure_logs("shop-service")
    structlog.get_logger().info("request", status=200)
    assert stream.flushed == []
    kind().warning("away")
    events = [json.loads(line)["event"] for line in stream.flushed[0].splitlines()]
    assert events == ["request", "away"]


def test_a_request_that_broke_keeps_its_traceback(lines: Lines) -> None:
    try:
        fail()
    except ValueError as error:
        structlog.get_logger().error("request", status=500, exc_info=error)
    assert "138****8000" in lines()[0]["exception"]


def test_below_the_level_no_line_tells_of_a_request(lines: Lines) -> None:
    stream = Stream()
    with contextlib.redirect_stderr(stream):
        configure_logs("shop-service", "WARNING")
    structlog.get_logger().info("request", status=200)
    assert stream.getvalue() == ""


def test_the_logs_of_libraries_look_the_same(lines: Lines) -> None:
    logging.getLogger("urllib3").warning("retrying %s", "/messages?mobile=%2B8613800138000")
    (line,) = lines()
    assert line["event"] == "retrying /messages?mobile=%2B86138****8000"
    assert (line["service"], line["level"]) == ("shop-service", "warning")


def test_a_library_says_nothing_below_a_warning(lines: Lines) -> None:
    logging.getLogger("urllib3").info("chatter")
    assert lines() == []


def fail() -> None:
    password = "-".join(("hunter", "2"))
    raise ValueError(f"no message for 13800138000, {len(password)}")


@pytest.mark.parametrize("kind", [structlog.get_logger, logging.getLogger], ids=["ours", "library"])
def test_a_traceback_shows_no_local_variable_and_no_mobile(lines: Lines, kind: Callable[[], Any]) -> None:
    try:
        fail()
    except ValueError:
        kind().error("failed", exc_info=True)
    (line,) = lines()
    assert "in fail" in line["exception"]
    assert "138****8000" in line["exception"]
    assert "hunter-2" not in json.dumps(line)


def test_a_secret_type_stays_secret(lines: Lines) -> None:
    structlog.get_logger().info("read", value=SecretStr("hunter2"))
    assert lines()[0]["value"] == "SecretStr('**********')"
