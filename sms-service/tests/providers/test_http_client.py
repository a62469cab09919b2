"""The one way to a vendor: what went out and what did not, time-outs, bounds, TLS."""

import datetime
import ipaddress
import os
import socket
import ssl
import time
from collections.abc import Iterator
from email.utils import format_datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from sms_service.providers.http_client import VendorHttp, VendorReply, http_code, parse_message_id
from sms_service.providers.provider import Outcome, ProviderAnswer

OK = ProviderAnswer(Outcome.ACCEPTED, "ok")
KNOWN_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"


def ask(http: VendorHttp, address: str) -> ProviderAnswer:
    return http.post(address, body=b"{}", headers={}, parse=lambda _reply: OK)


def write(raw: bytes):
    """Make a play of these bytes, after which the vendor hangs up."""

    def play(handler) -> None:
        handler.wfile.write(raw)
        handler.close_connection = True

    return play


def test_the_reader_gets_status_and_body(http, vendor) -> None:
    replies: list[VendorReply] = []
    vendor.play = lambda handler: handler.reply({"a": "验证码"}, 418, Retry_After="3")
    http.post(vendor.address, body=b"x", headers={"X-One": "1"}, parse=lambda reply: replies.append(reply) or OK)
    assert replies == [VendorReply(418, b'{"a": "\\u9a8c\\u8bc1\\u7801"}', 3)]
    assert replies[0].json_object() == {"a": "验证码"}
    assert [(headers["X-One"], body) for _, headers, body in vendor.requests] == [("1", b"x")]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), (" 0 ", 0), ("86400", 300), ("9" * 5000, 0), ("-5", 0), ("1.5", 0), ("soon", 0), ("", 0),
     ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("Fri, 31 Dec 9999 23:59:59 GMT", 300),
     ("Fri, 31 Dec 99999999999 23:59:59 GMT", 0)],
)  # fmt: skip
def test_retry_after_is_read_within_bounds(http, vendor, header: str, seconds: float) -> None:
    vendor.play = lambda handler: handler.reply(b"", 429, Retry_After=header)
    assert ask(http, vendor.address) == ProviderAnswer(Outcome.REFUSED_BUSY, "http_429", retry_after_seconds=seconds)


def test_retry_after_may_be_a_date(http, vendor) -> None:
    when = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=100)
    vendor.play = lambda handler: handler.reply(b"", 429, Retry_After=format_datetime(when, usegmt=True))
    assert 90 < ask(http, vendor.address).retry_after_seconds <= 100


def test_half_an_answer_leaves_it_open(http, vendor) -> None:
    vendor.play = write(KNOWN_HEAD + b"{}")
    assert ask(http, vendor.address) == ProviderAnswer(Outcome.UNCERTAIN, "ProtocolError")


@pytest.mark.parametrize("raw", [b"", b"SSH-2.0\r\n\r\n", b"HTTP/1.1 OK\r\n\r\n", b"HTTP/1.1 42 x\r\n\r\n"])
def test_an_answer_that_is_not_http_leaves_it_open(http, vendor, raw: bytes) -> None:
    vendor.play = write(raw)
    assert ask(http, vendor.address) == ProviderAnswer(Outcome.UNCERTAIN, "ProtocolError")


@pytest.mark.parametrize("head", ["Content-Length: 65537\r\n", "Connection: close\r\n", "Content-Encoding: gzip\r\n"])
def test_a_long_answer_is_cut_off(http, vendor, head: str) -> None:
    vendor.play = write(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode() + b" " * 65_537)
    assert ask(http, vendor.address) == ProviderAnswer(Outcome.UNCERTAIN, "AnswerTooLong")


def test_the_longest_answer_is_read(http, vendor) -> None:
    vendor.play = lambda handler: handler.reply(b" " * 65_536)
    assert ask(http, vendor.address) == OK


@pytest.mark.parametrize(
    ("before", "drop"),
    [(b"", b"H"), (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"), (b"", b"HTTP/1.1 100 Continue\r\n\r\n"), (KNOWN_HEAD, b" "),
     (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n")],
)  # fmt: skip
def test_an_answer_that_drips_ends_at_the_deadline(http, vendor, before: bytes, drop: bytes) -> None:
    vendor.play = lambda handler: handler.drip(before=before, drop=drop)
    begun_at = time.monotonic()
    assert ask(http, vendor.address) == ProviderAnswer(Outcome.UNCERTAIN, "ReadTimeoutError")
    # 0.4 s is the deadline of the tests, and each drop comes before it; they go on for much longer.
    assert 0.35 < time.monotonic() - begun_at < 8


def test_a_connection_that_was_slow_once_has_all_its_time_again(http, vendor) -> None:
    vendor.play = lambda handler: (vendor.released.wait(0.25), handler.accept())
    assert [ask(http, vendor.address), ask(http, vendor.address), ask(http, vendor.address)] == [OK, OK, OK]
    assert vendor.connections == 1


def test_after_a_bad_answer_the_next_call_is_fine(http, vendor) -> None:
    vendor.play = write(KNOWN_HEAD + b"{}")
    ask(http, vendor.address)
    vendor.play = lambda handler: handler.accept()
    assert ask(http, vendor.address) == OK


def test_a_refused_connection_sent_nothing(http) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{bound.getsockname()[1]}"
        assert ask(http, address) == ProviderAnswer(Outcome.NOT_SENT, "NewConnectionError")


def test_an_unknown_host_sent_nothing(http) -> None:
    assert ask(http, "http://vendor.invalid") == ProviderAnswer(Outcome.NOT_SENT, "NameResolutionError")


def test_a_malformed_header_takes_no_address_into_the_logs(http, vendor, caplog: pytest.LogCaptureFixture) -> None:
    vendor.play = write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno header\r\n\r\n{}")
    caplog.set_level("WARNING")
    ask(http, f"{vendor.address}/?TemplateParam=042619")
    assert len(vendor.requests) == 1
    assert "042619" not in caplog.text


def test_statuses_that_nobody_registered_are_one_code() -> None:
    assert [http_code(status) for status in (404, 599, 999)] == ["http_404", "http_unknown", "http_unknown"]


@pytest.mark.parametrize(
    ("value", "message_id"),
    [(" ff81 ", "ff81"), ("900619746936498440^0", "900619746936498440^0"), ("x" * 64, "x" * 64), ("x" * 65, ""),
     ("a\nb", ""), (None, ""), (5, ""), (["x"], "")],
)  # fmt: skip
def test_a_message_id_is_short_text_or_nothing(value: object, message_id: str) -> None:
    assert parse_message_id(value) == message_id


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1, with its key, which nobody trusts who is not told to."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vendor")])
    now = datetime.datetime.now(datetime.UTC)
    key_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    signs = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(signs, critical=True)
        .add_extension(key_id, critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "vendor.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + built.public_bytes(Encoding.PEM))
    return path


@pytest.fixture
def tls_address(vendor, certificate: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    vendor.socket = context.wrap_socket(vendor.socket, server_side=True)
    return f"https://127.0.0.1:{vendor.server_port}"


@pytest.fixture
def trust(monkeypatch: pytest.MonkeyPatch, certificate: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


def test_a_certificate_that_nobody_vouches_for_gets_nothing(http, vendor, tls_address: str) -> None:
    assert ask(http, tls_address) == ProviderAnswer(Outcome.NOT_SENT, "SSLCertVerificationError")
    assert vendor.requests == []


@pytest.mark.usefixtures("trust")
def test_a_certificate_for_another_name_gets_nothing(http, vendor, tls_address: str) -> None:
    other = tls_address.replace("127.0.0.1", "localhost")
    assert ask(http, other) == ProviderAnswer(Outcome.NOT_SENT, "SSLCertVerificationError")
    assert vendor.requests == []


@pytest.mark.usefixtures("trust")
def test_one_tls_connection_serves_many_calls(http, vendor, tls_address: str) -> None:
    assert [ask(http, tls_address), ask(http, tls_address)] == [OK, OK]
    assert vendor.connections == 1


def test_a_server_without_tls_gets_nothing(http, vendor) -> None:
    assert ask(http, vendor.address.replace("http:", "https:")) == ProviderAnswer(Outcome.NOT_SENT, "SSLError")
    assert vendor.requests == []


@pytest.mark.usefixtures("trust")
def test_a_tls_failure_after_the_request_leaves_it_open(http, vendor, tls_address: str) -> None:
    vendor.play = lambda handler: os.write(handler.connection.fileno(), b"this is no TLS record at all")
    assert ask(http, tls_address).outcome is Outcome.UNCERTAIN
    assert len(vendor.requests) == 1


@pytest.mark.usefixtures("trust")
def test_a_dripping_answer_ends_at_the_deadline_over_tls(http, vendor, tls_address: str) -> None:
    vendor.play = lambda handler: handler.drip(before=KNOWN_HEAD, drop=b" ")
    assert ask(http, tls_address) == ProviderAnswer(Outcome.UNCERTAIN, "ReadTimeoutError")
