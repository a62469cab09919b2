"""The yuntongxun provider against a local server that checks every byte it is sent, and misbehaves on demand."""

import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chassis.mobiles import Mobile
from sms_service.providers.outcomes import Outcome, ProviderAnswer
from sms_service.providers.provider import OutgoingSms
from sms_service.providers.yuntongxun import Yuntongxun
from sms_service.providers.yuntongxun_codes import outcome_of
from sms_service.providers.yuntongxun_signing import YuntongxunAccount, authorization, signature
from sms_service.purposes import Purpose
from sms_service.templates import Language

# The vector of the SMS note, section 3.1.
ACCOUNT = YuntongxunAccount(
    sid="8a216da8000000000000000000000001",
    auth_token="0123456789abcdef0123456789abcdef",
    app_id="8a216da8000000000000000000000002",
    template_id="1",
)
TIMESTAMP = "20140416142030"
SIGNATURE = "AE3E2261958BE9272C4667A67C67B5C5"
AUTHORIZATION = "OGEyMTZkYTgwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDE6MjAxNDA0MTYxNDIwMzA="
BODY = (
    b'{"to":"13800138000","appId":"8a216da8000000000000000000000002","templateId":"1",'
    b'"datas":["042619","5"],"reqId":"01JD0V9Z3Q8W6T5R4E2Y1K7M0P"}'
)
NOW = datetime(2014, 4, 16, 6, 20, 30, tzinfo=UTC)  # 14:20:30 in Beijing.
SMS = OutgoingSms(
    "01JD0V9Z3Q8W6T5R4E2Y1K7M0P",
    Mobile("+8613800138000"),
    Purpose.REGISTER,
    Language.ZH,
    code="042619",
    valid_minutes=5,
    text="unused",
    left_seconds=290,
)
ACCEPTED = {"statusCode": "000000", "templateSMS": {"dateCreated": "20130201155306", "smsMessageSid": "ff8080"}}


class VendorStub(ThreadingHTTPServer):
    """Plays the vendor: refuses a wrong signature as the vendor does, else answers what ``play`` says."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), VendorHandler)
        self.play: Callable[[VendorHandler], None] = lambda handler: handler.reply(ACCEPTED)
        self.bodies: list[bytes] = []
        self.connections = 0
        self.released = threading.Event()

    def get_request(self) -> Any:
        self.connections += 1
        return super().get_request()

    def handle_error(self, *_arguments: object) -> None:
        """Say nothing: clients that go away are part of the play."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class VendorHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: VendorStub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(body)
        if not self._is_signed():
            self.reply({"statusCode": "111109", "statusMsg": "bad signature"})
            return
        self.server.play(self)

    def _is_signed(self) -> bool:
        address = urlsplit(self.path)
        return (
            address.path == f"/2013-12-26/Accounts/{ACCOUNT.sid}/SMS/TemplateSMS"
            and parse_qs(address.query) == {"sig": [SIGNATURE]}
            and self.headers["Authorization"] == AUTHORIZATION
            and self.headers["Accept"] == "application/json"
            and self.headers["Content-Type"] == "application/json;charset=utf-8"
        )

    def reply(self, body: object, status: int = 200, **headers: str) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def vendor() -> Iterator[VendorStub]:
    server = VendorStub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def provider(vendor: VendorStub) -> Iterator[Yuntongxun]:
    provider = Yuntongxun(vendor.address, ACCOUNT, pool_size=4, clock=lambda: NOW, read_seconds=0.3)
    yield provider
    provider.close()


def test_the_signature_is_the_vendors() -> None:
    assert signature(ACCOUNT, TIMESTAMP) == SIGNATURE
    assert authorization(ACCOUNT, TIMESTAMP) == AUTHORIZATION


def test_an_order_is_sent_exactly_as_documented(provider: Yuntongxun, vendor: VendorStub) -> None:
    assert provider.send(SMS) == ProviderAnswer(Outcome.ACCEPTED, "000000", "ff8080")
    assert vendor.bodies == [BODY]


def test_one_connection_serves_many_texts(provider: Yuntongxun, vendor: VendorStub) -> None:
    for _ in range(5):
        provider.send(SMS)
    assert vendor.connections == 1


def test_the_message_id_is_found_in_both_spellings(provider: Yuntongxun, vendor: VendorStub) -> None:
    vendor.play = lambda handler: handler.reply({"statusCode": "000000", "TemplateSMS": {"smsMessageSid": " ff81"}})
    assert provider.send(SMS).message_id == "ff81"


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("160054", Outcome.ACCEPTED),
        ("160042", Outcome.REFUSED_RECIPIENT),
        ("112310", Outcome.REFUSED_RECIPIENT),
        ("160038", Outcome.REFUSED_LIMIT),
        ("160040", Outcome.REFUSED_LIMIT),
        ("111109", Outcome.REFUSED_CONFIG),
        ("161106", Outcome.REFUSED_CONFIG),
        ("160032", Outcome.REFUSED_CONFIG),
        ("160016", Outcome.REFUSED_BUSY),
        ("161021", Outcome.UNCERTAIN),
        ("999999", Outcome.UNCERTAIN),
        ("172001", Outcome.UNCERTAIN),
    ],
)
def test_each_status_code_has_its_class(provider: Yuntongxun, vendor: VendorStub, code: str, outcome: Outcome) -> None:
    vendor.play = lambda handler: handler.reply({"statusCode": code, "statusMsg": "…"})
    assert provider.send(SMS) == ProviderAnswer(outcome, code)


def test_a_wrong_token_is_a_configuration_error(vendor: VendorStub) -> None:
    account = YuntongxunAccount(ACCOUNT.sid, "another token", ACCOUNT.app_id, "1")
    provider = Yuntongxun(vendor.address, account, pool_size=1, clock=lambda: NOW)
    assert provider.send(SMS).outcome is Outcome.REFUSED_CONFIG
    provider.close()


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"null", b'{"statusMsg":"x"}', b'{"172001":"\xe7\xbd\x91"}', b'{"statusCode":"ok"}']
)
def test_an_answer_that_cannot_be_read_leaves_it_open(provider: Yuntongxun, vendor: VendorStub, body: bytes) -> None:
    vendor.play = lambda handler: handler.reply(body)
    assert provider.send(SMS) == ProviderAnswer(Outcome.UNCERTAIN, "unreadable")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(500, Outcome.UNCERTAIN), (502, Outcome.UNCERTAIN), (404, Outcome.UNCERTAIN), (429, Outcome.REFUSED_BUSY)],
)
def test_http_errors(provider: Yuntongxun, vendor: VendorStub, status: int, outcome: Outcome) -> None:
    vendor.play = lambda handler: handler.reply(ACCEPTED, status)
    assert provider.send(SMS) == ProviderAnswer(outcome, f"http_{status}")


def test_a_redirect_is_not_followed(provider: Yuntongxun, vendor: VendorStub) -> None:
    vendor.play = lambda handler: handler.reply(b"", 307, Location=vendor.address)
    assert provider.send(SMS) == ProviderAnswer(Outcome.UNCERTAIN, "http_307")
    assert len(vendor.bodies) == 1


def test_a_slow_answer_leaves_it_open_and_nothing_is_sent_twice(provider: Yuntongxun, vendor: VendorStub) -> None:
    vendor.play = lambda handler: bool(vendor.released.wait(5)) and None
    assert provider.send(SMS) == ProviderAnswer(Outcome.UNCERTAIN, "ReadTimeoutError")
    assert len(vendor.bodies) == 1


def test_a_reset_after_the_request_leaves_it_open(provider: Yuntongxun, vendor: VendorStub) -> None:
    vendor.play = lambda handler: handler.reset()
    assert provider.send(SMS).outcome is Outcome.UNCERTAIN
    assert len(vendor.bodies) == 1


def test_half_an_answer_leaves_it_open(provider: Yuntongxun, vendor: VendorStub) -> None:
    def half(handler: VendorHandler) -> None:
        handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"statusCode":"000000"')
        handler.close_connection = True

    vendor.play = half
    assert provider.send(SMS).outcome is Outcome.UNCERTAIN


def test_an_endless_answer_is_cut_off(provider: Yuntongxun, vendor: VendorStub) -> None:
    vendor.play = lambda handler: handler.reply(b" " * (64 * 1024 + 1) + json.dumps(ACCEPTED).encode())
    assert provider.send(SMS) == ProviderAnswer(Outcome.UNCERTAIN, "TimeoutError")


def test_a_refused_connection_sent_nothing() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        provider = Yuntongxun(f"http://127.0.0.1:{bound.getsockname()[1]}", ACCOUNT, pool_size=1)
        assert provider.send(SMS).outcome is Outcome.NOT_SENT


def test_an_unknown_host_sent_nothing() -> None:
    assert Yuntongxun("http://vendor.invalid", ACCOUNT, pool_size=1).send(SMS).outcome is Outcome.NOT_SENT


def test_a_server_without_tls_gets_nothing(vendor: VendorStub) -> None:
    provider = Yuntongxun(f"https://127.0.0.1:{vendor.server_port}", ACCOUNT, pool_size=1)
    assert provider.send(SMS).outcome is Outcome.NOT_SENT
    assert vendor.bodies == []
    assert ssl.CERT_REQUIRED == 2  # What urllib3 asks of certificates unless told otherwise.


def test_a_request_id_is_remembered_until_midnight_in_beijing() -> None:
    provider = Yuntongxun("http://127.0.0.1:9", ACCOUNT, pool_size=1)
    midnight = datetime(2026, 1, 1, 16, tzinfo=UTC)
    before, after = midnight - timedelta(seconds=1), midnight + timedelta(seconds=1)
    assert provider.repeats_safely(first_sent_at=before - timedelta(hours=1), at=before)
    assert not provider.repeats_safely(first_sent_at=before, at=after)


def test_no_code_has_two_classes_and_the_job_ids_are_acceptable() -> None:
    assert outcome_of("112310") is Outcome.REFUSED_RECIPIENT
    assert outcome_of("112313") is Outcome.REFUSED_CONFIG
    assert re.fullmatch(r"[0-9A-Za-z]{1,32}", SMS.job_id)
