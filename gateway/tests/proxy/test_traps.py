"""The traps of an HTTP gateway, on raw sockets; the numbers are those of docs/checks.md."""

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

READ = "/api/v1/categories"
WRITE = "/api/v1/captchas"


@pytest.fixture(scope="session")
def running_patient_gateway(start_gateway: Callable[..., Any]) -> Any:
    return start_gateway(upstream_read_seconds="30")


@pytest.fixture
def patient_gateway(running_patient_gateway: Any, services: Any, redis: Any) -> Any:
    """A gateway that waits long for its services, for tests in which these wait for something."""
    return running_patient_gateway


def head(method: str, target: str, *lines: str, host: str | None = "xinjing.example") -> bytes:
    hosts = [f"Host: {host}"] if host is not None else []
    return "\r\n".join([f"{method} {target} HTTP/1.1", *hosts, *lines, "", ""]).encode("latin-1")


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def everything_from(connection: socket.socket) -> bytes:
    received = b""
    while part := connection.recv(65536):
        received += part
    return received


def test_w01_chunked_bodies_arrive_whole(gateway: Any, services: Any) -> None:
    request = head("POST", WRITE, "Connection: close", "Transfer-Encoding: chunked")
    assert status_of(gateway.raw(request + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")) == 200
    assert services.captcha.last.body == b"hello world"
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    assert status_of(gateway.raw(request + chunk * 16 + b"0\r\n\r\n")) == 200
    assert len(services.captcha.last.body) == 1_048_576


def test_w02_hop_by_hop_headers_and_those_they_name_stay_here(gateway: Any, services: Any) -> None:
    headers = {"Connection": "keep-alive, X-Foo", "X-Foo": "1", "X-Bar": "2", "TE": "gzip", "Keep-Alive": "5"}
    gateway.ask("GET", READ, headers={**headers, "Proxy-Authorization": "Basic eDp5", "Upgrade": "h2c"})
    seen = services.news.last
    assert seen.values("X-Bar") == ["2"]
    assert not seen.names() & {"x-foo", "te", "keep-alive", "proxy-authorization", "upgrade", "connection"}


def test_w03_a_client_cannot_take_our_token_away(gateway: Any, services: Any) -> None:
    headers = {"Connection": "keep-alive, X-Internal-Token, Authorization", "X-Internal-Token": "forged"}
    gateway.ask("GET", READ, headers=headers)
    tokens = services.news.last.values("X-Internal-Token")
    assert len(tokens) == 1
    assert tokens != ["forged"]


def test_w04_identity_and_address_headers_of_clients_do_not_arrive(gateway: Any, services: Any) -> None:
    forged = ["X-User-Id: evil", "x-user-roles: evil", "X-Internal-Token: evil", "X-Internal-Other: evil"]
    forged += ["X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: evil", "X-Forwarded-Host: evil", "X-Real-IP: 6.6.6.6"]
    gateway.raw(head("GET", READ, "Connection: close", *forged, "Forwarded: for=6.6.6.6", "Authorization: evil"))
    seen = services.news.last
    assert not [value for _, value in seen.headers if "evil" in value or "6.6.6.6" in value]
    assert seen.values("X-Forwarded-For") == ["127.0.0.1"]
    assert (seen.values("X-Forwarded-Proto"), seen.values("X-Forwarded-Host")) == (["http"], ["xinjing.example"])
    assert status_of(gateway.raw(head("GET", READ, "Connection: close", "X_User_Id: evil", "X_Fine: evil"))) == 200
    assert not [value for _, value in services.news.last.headers if "evil" in value]


def test_w05_equal_lines_arrive_as_they_were_sent(gateway: Any, services: Any) -> None:
    lines = ["Cookie: a=1; b=2", "Accept: text/html", "X-Odd: 1", "cookie: c=3", "accept: */*;q=0.1", "X-Odd: 2, 3"]
    assert status_of(gateway.raw(head("GET", READ, "Connection: close", *lines))) == 200
    seen = services.news.last
    assert seen.values("Cookie") == ["a=1; b=2", "c=3"]
    assert seen.values("Accept") == ["text/html", "*/*;q=0.1"]
    assert seen.values("X-Odd") == ["1", "2, 3"]


def test_w05_a_session_is_found_and_taken_out_of_each_cookie_line(
    gateway: Any, services: Any, sign: Callable[..., str]
) -> None:
    session = f"__Host-xinjing_at={sign()}"
    for lines in (["Cookie: a=1", f"Cookie: {session}; b=2"], [f"Cookie: {session}", "Cookie: a=1; b=2"]):
        assert status_of(gateway.raw(head("GET", "/api/v1/users/me", "Connection: close", *lines))) == 200
        assert "; ".join(services.user.last.values("Cookie")) == "a=1; b=2"


def test_w06_nothing_is_said_for_the_client(gateway: Any, services: Any) -> None:
    gateway.raw(head("GET", READ, "Connection: close"))
    assert not services.news.last.names() & {"accept", "accept-encoding", "user-agent", "content-length"}


@pytest.mark.parametrize(
    "tail",
    [
        "/a%20b",
        "/a;p=1",
        "/%E4%BD%A0",
        "/%e4%bd%a0",
        "/a+b",
        "/%2541",
        "/a|b",
        "/1?x=%26&y=a%2Fb",
        "/1?q=a|b&r=%e4",
        "/a%3Fb",
    ],
)
def test_w07_the_same_bytes_arrive(gateway: Any, services: Any, tail: str) -> None:
    target = "/api/v1/news" + tail
    assert status_of(gateway.raw(head("GET", target, "Connection: close"))) == 200
    assert services.news.last.target == target


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/news/a%2Fb", 400),
        ("/api/v1/users/%6De", 400),
        ("/api/v1/news//dd", 404),
        ("/api/v1/news/%zz", 400),
        ("/api/v1/news/a#b", 400),
        ("/api/v1/news/caf\xe9", 400),
    ],
)
def test_w07_an_ambiguous_path_is_refused(gateway: Any, services: Any, path: str, status: int) -> None:
    assert status_of(gateway.raw(head("GET", path, "Connection: close"))) == status
    assert [stub.requests for stub in services.each()] == [[], [], [], []]


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/news/../users/me",
        "/api/v1/a/../../v1/categories",
        "/api/v1/news/%2e%2e/users/me",
        "/api/v1/news/..%2fusers",
        "/api/v1/news/..%5cusers",
        "/api/v1/news/./1",
        "/api/v1/news/..;x/1",
        "/api/v1/news/a\\b",
        "/api/v1/news/%00",
        "/api/v1/news/%0d%0aX-Evil:1",
        "/static/..",
    ],
)
def test_w08_dot_segments_and_control_bytes_are_400(gateway: Any, services: Any, path: str) -> None:
    assert status_of(gateway.raw(head("GET", path, "Connection: close"))) == 400
    assert [stub.requests for stub in services.each()] == [[], [], [], []]


@pytest.mark.parametrize("target", [f"http://other.example{READ}", "*", f"xinjing.example{READ}"])
def test_w09_another_form_or_host_of_a_target_is_refused(gateway: Any, services: Any, target: str) -> None:
    assert status_of(gateway.raw(head("GET", target, "Connection: close"))) == 400
    assert services.news.requests == []


@pytest.mark.parametrize("target", [READ, "/readyz", "/passport/login", f"http://xinjing.example{READ}"])
@pytest.mark.parametrize(
    "host", [None, "", "a/b", "u@h", "a, b", "a\r\nHost: b", "a\r\nHost: a", "a b", "a\x0b", "\xe9"]
)
def test_w10_one_good_host_is_needed(gateway: Any, services: Any, host: str | None, target: str) -> None:
    assert status_of(gateway.raw(head("GET", target, "Connection: close", host=host))) == 400
    assert services.news.requests == []


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Content-Length: 5", "Content-Length: 6"],
        ["Content-Length: +5"],
        ["Content-Length: 5, 5"],
        ["Transfer-Encoding: xchunked"],
        ["Transfer-Encoding: chunked, identity"],
        ["Transfer-Encoding: \x0bchunked"],
        ["Transfer-Encoding: chunked\x0b"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
        ["X-A: 1", " folded"],
        ["X-A : b"],
        ["X-A: 1\nContent-Length: 5"],
        ["X-A: 1\rContent-Length: 5"],
        ["X-A: 1\0"],
        ["Content-Length\0: 5"],
    ],
)
def test_w11_ambiguous_framing_is_refused(gateway: Any, services: Any, lines: list[str]) -> None:
    answer = gateway.raw(head("POST", WRITE, *lines) + b"0\r\n\r\nhello")
    assert status_of(answer) in (400, 501)
    assert b"Connection: close" in answer
    assert answer.count(b"HTTP/1.1 ") == 1
    assert services.captcha.requests == []


@pytest.mark.parametrize(
    "body",
    [
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"5_0\r\nhello\r\n0\r\n\r\n",
        b"\r\nhello\r\n0\r\n\r\n",
        b"5;a=\nb\r\nhello\r\n0\r\n\r\n",
        b"5;a\n\r\nhello\r\n0\r\n\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\nX-A: 1\n\r\n\r\n",
    ],
)
def test_w11_a_chunk_that_can_be_read_in_two_ways_is_400(gateway: Any, services: Any, body: bytes) -> None:
    answer = gateway.raw(head("POST", WRITE, "Transfer-Encoding: chunked") + body)
    assert status_of(answer) == 400
    assert b"Connection: close" in answer
    assert answer.count(b"HTTP/1.1 ") == 1
    assert services.captcha.requests == []


@pytest.mark.parametrize("value", ["", " ", ",", "chunked,", ", chunked", "chunked;", "gzip\t, chunked x", '"chunked"'])
def test_w12_a_malformed_transfer_coding_is_400(gateway: Any, services: Any, value: str) -> None:
    answer = gateway.raw(head("POST", WRITE, f"Transfer-Encoding: {value}") + b"5\r\nhello\r\n0\r\n\r\n")
    assert status_of(answer) == 400
    assert services.captcha.requests == []


@pytest.mark.parametrize(
    "lines",
    [
        ["Transfer-Encoding: gzip, chunked"],
        ["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: identity, chunked"],
        ["Transfer-Encoding: rot13, chunked"],
    ],
)
def test_w12_a_coding_that_nobody_unpacks_is_501(gateway: Any, services: Any, lines: list[str]) -> None:
    answer = gateway.raw(head("POST", WRITE, *lines) + b"5\r\nhello\r\n0\r\n\r\n")
    assert status_of(answer) == 501
    assert services.captcha.requests == []


@pytest.mark.parametrize(
    "request_bytes",
    [
        head("POST", WRITE, "Transfer-Encoding: chunked") + b"5\r\nhello\r\nzz\r\n",
        head("POST", WRITE, "Content-Length: 100") + b"abc",
    ],
)
def test_w13_a_body_that_breaks_off_never_reaches_the_service(
    gateway: Any, services: Any, request_bytes: bytes
) -> None:
    with gateway.connect() as connection:
        connection.sendall(request_bytes)
        connection.shutdown(socket.SHUT_WR)
        answer = everything_from(connection)
    assert status_of(answer) == 400
    assert services.captcha.requests == []


def test_w13_a_large_body_that_breaks_off_leaves_no_whole_request(gateway: Any, services: Any) -> None:
    with gateway.connect() as connection:
        connection.sendall(head("POST", WRITE, "Content-Length: 200000") + b"x" * 150_000)
        connection.shutdown(socket.SHUT_WR)
        answer = everything_from(connection)
    assert status_of(answer) == 400
    assert services.captcha.requests == []


def test_w14_a_client_that_waits_for_100_gets_it(gateway: Any, services: Any) -> None:
    with gateway.connect() as connection:
        connection.sendall(head("POST", WRITE, "Expect: 100-continue", "Content-Length: 5", "Connection: close"))
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(b"hello")
        assert status_of(everything_from(connection)) == 200
    assert services.captcha.last.body == b"hello"


def test_w15_the_body_of_a_refused_request_is_no_request(gateway: Any, services: Any) -> None:
    inner = head("GET", READ)
    refused = head("PATCH", "/api/v1/users/me", f"Content-Length: {len(inner)}") + inner
    answer = gateway.raw(refused + head("GET", "/favicon.ico", "Connection: close"))
    assert status_of(answer) == 401
    assert services.news.count("GET", READ) == 0


@pytest.mark.parametrize("target", ["/healthz", "/api/v1/nothing", "/internal"])
def test_w15_a_malformed_body_that_nobody_reads_gets_no_second_answer(gateway: Any, target: str) -> None:
    answer = gateway.raw(head("GET", target, "Transfer-Encoding: chunked") + b"zz\r\n\r\n" + head("GET", READ))
    assert answer.count(b"HTTP/1.1 ") == 1


def test_w16_a_higher_minor_version_is_answered_as_1_1(gateway: Any, services: Any) -> None:
    request = head("GET", READ).replace(b"HTTP/1.1", b"HTTP/1.2", 1)
    answer = gateway.raw(request + head("GET", "/favicon.ico", "Connection: close").replace(b"/1.1", b"/1.9", 1))
    assert [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"200", b"200"]
    assert b"HTTP/1.2" not in answer


def test_w30_hop_by_hop_headers_of_the_service_stay_here(
    gateway: Any, services: Any, answering: Callable[..., bytes]
) -> None:
    lines = ["Connection: keep-alive, X-Secret", "X-Secret: 1", "X-Public: 2", "Keep-Alive: timeout=5"]
    services.news.on("GET", READ, answering("200 OK", b"{}", *lines, "Proxy-Authenticate: Basic", "X-Internal-Note: 1"))
    names = {name.lower() for name, _ in gateway.ask("GET", READ).headers}
    assert "x-public" in names
    assert not names & {"x-secret", "keep-alive", "proxy-authenticate", "x-internal-note"}


def test_w31_two_cookies_stay_two_lines(gateway: Any, services: Any, answering: Callable[..., bytes]) -> None:
    sent = ["a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2"]
    services.news.on("GET", READ, answering("200 OK", b"{}", *[f"Set-Cookie: {value}" for value in sent]))
    assert gateway.ask("GET", READ).values("Set-Cookie") == sent


def test_w32_head_keeps_the_length_and_the_connection(gateway: Any, services: Any) -> None:
    services.news.on("HEAD", READ, b"HTTP/1.1 200 OK\r\nContent-Length: 2009\r\n\r\n")
    with gateway.connect() as connection:
        connection.sendall(head("HEAD", READ))
        first = connection.recv(65536)
        assert b"Content-Length: 2009" in first
        assert first.endswith(b"\r\n\r\n")
        connection.sendall(head("GET", READ, "Connection: close"))
        assert everything_from(connection).endswith(b"\r\n\r\n{}")


def test_w33_answers_without_body_each_arrive_once(
    gateway: Any, services: Any, answering: Callable[..., bytes]
) -> None:
    services.news.on(
        "GET",
        READ,
        b"HTTP/1.1 204 NO CONTENT\r\n\r\n",
        b'HTTP/1.1 304 NOT MODIFIED\r\nETag: "a"\r\n\r\n',
        answering("200 OK", b"whole"),
    )
    answer = gateway.raw(head("GET", READ) * 2 + head("GET", READ, "Connection: close"))
    parts = answer.split(b"HTTP/1.1 ")[1:]
    assert [part[:3] for part in parts] == [b"204", b"304", b"200"]
    assert b"transfer-encoding" not in parts[0].lower()
    assert parts[2].endswith(b"whole")


def test_w34_bytes_behind_a_204_are_nobodys_answer(
    gateway: Any, services: Any, answering: Callable[..., bytes]
) -> None:
    services.news.on("GET", READ, b"HTTP/1.1 204 NO CONTENT\r\nContent-Length: 5\r\n\r\nhello")
    services.news.on("GET", "/favicon.ico", answering("200 OK", b"icon"))
    assert gateway.ask("GET", READ).body == b""
    assert gateway.ask("GET", "/favicon.ico").body == b"icon"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_w35_a_304_with_a_length_and_no_body_comes_at_once(gateway: Any, services: Any, method: str) -> None:
    services.news.on(method, READ, b'HTTP/1.1 304 NOT MODIFIED\r\nETag: "a"\r\nContent-Length: 100\r\n\r\n')
    with gateway.connect() as connection:
        for _ in range(2):  # Waiting for a body, the gateway would answer 504.
            connection.sendall(head(method, READ))
            assert connection.recv(65536).startswith(b"HTTP/1.1 304")
    assert gateway.ask("GET", "/favicon.ico").body == b"{}"


def test_w36_a_compressed_body_stays_as_it_is(gateway: Any, services: Any, answering: Callable[..., bytes]) -> None:
    packed = b"\x1f\x8b not really gzip, and none of our business"
    services.news.on("GET", READ, answering("200 OK", packed, "Content-Encoding: gzip", "Vary: Accept-Encoding"))
    answer = gateway.ask("GET", READ, headers={"Accept-Encoding": "gzip"})
    assert answer.body == packed
    assert (answer.value("Content-Encoding"), answer.value("Vary")) == ("gzip", "Accept-Encoding")
    assert services.news.last.values("Accept-Encoding") == ["gzip"]


def test_w37_a_short_answer_that_breaks_off_is_502(gateway: Any, services: Any) -> None:
    services.news.on("GET", READ, cut_off(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 300))
    answer = gateway.ask("GET", READ)
    assert (answer.status, answer.json["code"]) == (502, "upstream_unavailable")
    assert answer.value("Retry-After")


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 300_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ],
)
def test_w38_a_long_answer_that_breaks_off_is_visibly_cut(gateway: Any, services: Any, sent: bytes) -> None:
    services.news.on("GET", READ, cut_off(sent))
    answer = gateway.raw(head("GET", READ))
    assert b"0\r\n\r\n" not in answer[-7:]
    assert b"Content-Length: 1000000" in answer or b"chunked" in answer


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 3\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Bad: a\x01b\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nX-Huge: " + b"x" * 300_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX Bad: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Bad : 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nno header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-A: 1\nX-Inj: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-A: 1\rX-Inj: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-A: 1\0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-A: 1\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n X-First: folded\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Many: 1\r\n" * 8000 + b"\r\n",
    ],
)
def test_w39_garbled_answers_are_502_and_are_not_asked_for_again(
    gateway: Any, services: Any, answering: Callable[..., bytes], sent: bytes
) -> None:
    services.news.on("GET", READ, answering("200 OK", b"first"), cut_off(sent))
    assert gateway.ask("GET", READ).body == b"first"
    assert gateway.ask("GET", READ).status == 502
    assert services.news.count("GET", READ) == 2


@pytest.mark.parametrize(
    "size_line",
    [b"0x5\r\n", b"+5\r\n", b"-5\r\n", b"5_0\r\n", b" 5\r\n", b"\r\n", b"5;a\n", b"5\n", b"5" * 16 + b"\r\n"],
)
def test_w39_a_chunk_of_an_unclear_size_is_502_or_a_visible_cut(gateway: Any, services: Any, size_line: bytes) -> None:
    begin = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    services.news.on("GET", READ, begin + size_line + b"hello\r\n0\r\n\r\n")
    assert gateway.ask("GET", READ).status == 502
    services.news.on("GET", READ, begin + b"5\r\nfirst\r\n" + size_line + b"hello\r\n0\r\n\r\n")
    answer = gateway.raw(head("GET", READ))
    assert b"first" in answer
    assert b"hello" not in answer
    assert not answer.endswith(b"0\r\n\r\n")


def test_w39_a_chunk_that_is_longer_than_its_size_is_visibly_cut(gateway: Any, services: Any) -> None:
    begin = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    services.news.on("GET", READ, begin + b"5\r\nfirst second\r\n5\r\nthird\r\n0\r\n\r\n")
    answer = gateway.raw(head("GET", READ))
    assert b"first" in answer
    assert b"third" not in answer
    assert not answer.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    "sent",
    [
        b"5;" + b"a" * 100_000 + b"\r\nhello\r\n0\r\n\r\n",
        b"0\r\n" + b"X-Trailer: 1\r\n" * 8000 + b"\r\n",
        b"0\r\nX-Trailer: " + b"a" * 100_000 + b"\r\n\r\n",
    ],
    ids=["chunk extension", "trailers", "trailer"],
)
def test_w39_a_chunked_answer_with_more_than_its_bytes_is_bounded(gateway: Any, services: Any, sent: bytes) -> None:
    services.news.on("GET", READ, cut_off(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + sent))
    assert gateway.ask("GET", READ).status == 502


def test_w42_an_answer_longer_than_its_length_is_cut_and_poisons_nobody(gateway: Any, services: Any) -> None:
    services.news.on("GET", READ, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine" + b"x" * 200_000)
    assert [gateway.ask("GET", READ).body for _ in range(4)] == [b"mine"] * 4


def test_w40_old_and_odd_answers_pass(gateway: Any, services: Any, answering: Callable[..., bytes]) -> None:
    services.news.on("GET", READ, cut_off(b"HTTP/1.0 200 OK\r\nX-L: caf\xe9\r\n\r\nto the end"))
    assert gateway.ask("GET", READ).body == b"to the end"
    services.news.on("GET", READ, answering("299 Weird Reason", b"x"))
    assert gateway.raw(head("GET", READ, "Connection: close")).startswith(b"HTTP/1.1 299 Weird Reason")


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3,
        b"HTTP/1.1 102\r\n\r\n",
        b"HTTP/1.1 199 Odd\r\nContent-Length: 5\r\n\r\n",
    ],
)
def test_w41_interim_answers_do_not_replace_the_last_one(
    gateway: Any, services: Any, answering: Callable[..., bytes], interim: bytes
) -> None:
    services.news.on("GET", READ, interim + answering("200 OK", b"last", "X-Last: 1"))
    services.news.on("HEAD", READ, interim + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
    for _ in range(2):
        answer = gateway.ask("GET", READ)
        assert (answer.status, answer.body, answer.value("X-Last")) == (200, b"last", "1")
        assert answer.values("Link") == []
        assert gateway.ask("HEAD", READ).value("Content-Length") == "4"


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nX Bad: 1\nX: 2\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 6000 + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
    ],
)
def test_w41_no_end_of_interim_answers_is_502(gateway: Any, services: Any, sent: bytes) -> None:
    services.news.on("GET", READ, cut_off(sent))
    assert gateway.ask("GET", READ).status == 502


def test_w42_an_unasked_second_answer_poisons_nobody(
    gateway: Any, services: Any, answering: Callable[..., bytes]
) -> None:
    services.news.on("GET", READ, answering("200 OK", b"mine") + answering("200 OK", b"evil"))
    assert [gateway.ask("GET", READ).body for _ in range(4)] == [b"mine"] * 4


def test_w43_redirects_are_the_clients(gateway: Any, services: Any, answering: Callable[..., bytes]) -> None:
    services.news.on("GET", READ, answering("302 FOUND", b"", "Location: /elsewhere"))
    answer = gateway.ask("GET", READ)
    assert (answer.status, answer.value("Location")) == (302, "/elsewhere")


def test_w44_events_arrive_when_they_are_sent(gateway: Any, services: Any) -> None:
    has_arrived = threading.Event()

    def events(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sendall(b"8\r\ndata: 0\n\r\n")
        has_arrived.wait(10)
        for number in range(1, 4):
            connection.sendall(b"8\r\ndata: %d\n\r\n" % number)
        connection.sendall(b"0\r\n\r\n")

    services.news.on("GET", READ, events)
    with gateway.connect() as connection:
        connection.sendall(head("GET", READ, "Connection: close"))
        received = b""
        while b"data: 0" not in received:
            part = connection.recv(65536)
            assert part, received
            received += part
        has_arrived.set()
        assert b"data: 3" in everything_from(connection)


@pytest.mark.parametrize(
    "lines", [["Date: Tue, 15 Nov 1994 08:12:31 GMT"], ["date: Tue, 15 Nov 1994 08:12:31 GMT", "Date: b"]]
)
def test_w45_the_services_date_arrives_once(
    gateway: Any, services: Any, answering: Callable[..., bytes], lines: list[str]
) -> None:
    services.news.on("GET", READ, answering("200 OK", b"{}", *lines, "Server: theirs"))
    answer = gateway.ask("GET", READ)
    assert answer.value("Date") == "Tue, 15 Nov 1994 08:12:31 GMT"
    assert answer.values("Server") == []


@pytest.mark.parametrize("target", [READ, "/healthz", "/api/v1/nothing"])
def test_w45_an_answer_without_a_date_gets_ours(gateway: Any, services: Any, target: str) -> None:
    sent_at = parsedate_to_datetime(gateway.ask("GET", target).value("Date"))
    assert abs((datetime.now(UTC) - sent_at).total_seconds()) < 60


def test_w50_a_service_that_closes_after_each_answer_fails_no_request(
    gateway: Any, services: Any, answering: Callable[..., bytes]
) -> None:
    services.news.on("GET", READ, cut_off(answering("200 OK", b"whole")))
    with gateway.connect() as connection:
        stream = connection.makefile("rb")
        for _ in range(20):
            connection.sendall(head("GET", READ))
            assert stream.readline().startswith(b"HTTP/1.1 200")
            while stream.readline() != b"\r\n":
                pass
            assert stream.read(5) == b"whole"
    assert services.news.count("GET", READ) == 20


def test_w51_a_read_on_a_connection_that_died_idle_is_repeated_once(
    gateway: Any, services: Any, answering: Callable[..., bytes]
) -> None:
    services.news.on("GET", READ, answering("200 OK", b"first"), hang_up, answering("200 OK", b"again"))
    assert gateway.ask("GET", READ).body == b"first"
    assert gateway.ask("GET", READ).body == b"again"
    assert services.news.count("GET", READ) == 3


def test_w52_a_post_is_never_repeated(gateway: Any, services: Any, answering: Callable[..., bytes]) -> None:
    services.captcha.on("POST", WRITE, answering("200 OK", b"first"), hang_up)
    assert gateway.ask("POST", WRITE, body=b"{}").body == b"first"
    answer = gateway.ask("POST", WRITE, body=b"{}")
    assert (answer.status, services.captcha.count("POST", WRITE)) == (502, 2)


def test_w53_all_kept_connections_die_at_once_and_a_read_succeeds(
    patient_gateway: Any, services: Any, answering: Callable[..., bytes]
) -> None:
    together, asked_again = threading.Barrier(8), []

    def answer_once(connection: socket.socket) -> None:
        together.wait(20)
        connection.sendall(answering("200 OK", b"first"))
        asked_again.append(connection.recv(65536))  # The next request gets no answer, on none of them.

    services.news.on("GET", READ, *[answer_once] * 8, answering("200 OK", b"new"))
    with ThreadPoolExecutor(8) as clients:
        bodies = list(clients.map(lambda _: patient_gateway.ask("GET", READ).body, range(8)))
    assert bodies == [b"first"] * 8
    assert patient_gateway.ask("GET", READ).body == b"new"
    assert len(asked_again) == 1


def test_w53_connections_that_were_closed_while_idle_are_not_used(
    patient_gateway: Any, services: Any, answering: Callable[..., bytes]
) -> None:
    together, may_close, kept = threading.Barrier(8), threading.Event(), []

    def answer_and_close(connection: socket.socket) -> None:
        kept.append(connection)
        together.wait(20)
        connection.sendall(answering("200 OK", b"first"))
        may_close.wait(20)

    services.captcha.on("POST", WRITE, *[answer_and_close] * 8, answering("200 OK", b"new"))
    with ThreadPoolExecutor(8) as clients:
        bodies = list(clients.map(lambda _: patient_gateway.ask("POST", WRITE, body=b"{}").body, range(8)))
    assert bodies == [b"first"] * 8
    may_close.set()
    end = time.monotonic() + 20
    while any(connection.fileno() >= 0 for connection in kept) and time.monotonic() < end:
        time.sleep(0.01)
    assert patient_gateway.ask("POST", WRITE, body=b"{}").body == b"new"
    assert services.captcha.count("POST", WRITE) == 9


def test_w54_a_client_that_leaves_frees_the_service(gateway: Any, services: Any) -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n")
        for _ in range(3000):
            connection.sendall(b"x" * 65536)

    services.news.on("GET", READ, endless)
    broken = services.news.broken
    with gateway.connect() as connection:
        connection.sendall(head("GET", READ))
        connection.recv(65536)
    end = time.monotonic() + 1.5
    while services.news.broken == broken and time.monotonic() < end:
        time.sleep(0.02)
    assert services.news.broken == broken + 1


def test_w55_a_service_that_hangs_is_504_and_one_that_is_away_is_503(
    start_gateway: Callable[..., Any], gateway: Any, services: Any
) -> None:
    services.news.on("GET", READ, lambda connection: connection.recv(1))
    begun = time.monotonic()
    answer = gateway.ask("GET", READ)
    assert (answer.status, answer.json["code"]) == (504, "upstream_timeout")
    assert 1.4 < time.monotonic() - begun < 15  # 1.5 s is the deadline; half a minute would be the default.
    refusing = start_gateway(news_service_url="http://127.0.0.1:9")
    answer = refusing.ask("GET", READ)
    assert (answer.status, answer.json["code"]) == (503, "service_unavailable")
    assert int(answer.values("Retry-After")[0]) > 0


def test_w55_a_service_that_is_slow_but_in_time_is_200(
    patient_gateway: Any, services: Any, answering: Callable[..., bytes]
) -> None:
    sent = answering("200 OK", b"slow")

    def drip(connection: socket.socket) -> None:
        for number in range(len(sent)):
            connection.sendall(sent[number : number + 1])
            time.sleep(2 / len(sent))

    services.news.on("GET", READ, drip)
    begun = time.monotonic()
    answer = patient_gateway.ask("GET", READ)
    assert (answer.status, answer.body) == (200, b"slow")
    assert time.monotonic() - begun > 1.5  # Longer than it may take to connect.


def test_w56_half_a_head_holds_nobody_up(gateway: Any) -> None:
    with ExitStack() as ends:
        for _ in range(40):
            ends.enter_context(gateway.connect()).sendall(f"GET {READ} HTTP/1.1\r\nHost: h\r\nX-a".encode())
        assert gateway.ask("GET", READ).status == 200


@pytest.mark.parametrize("sent_bytes", [1, 70_000])
def test_w57_half_a_body_holds_nobody_up_and_reaches_no_service(gateway: Any, services: Any, sent_bytes: int) -> None:
    half = head("POST", "/api/v1/sessions", "Content-Length: 900000") + b"a" * sent_bytes
    with ExitStack() as ends:
        for _ in range(40):
            ends.enter_context(gateway.connect()).sendall(half)
        assert gateway.send_json("POST", "/api/v1/captchas", {}).status == 200
        assert services.user.requests == []


def test_w58_clients_that_read_nothing_hold_nobody_up_and_free_the_service(gateway: Any, services: Any) -> None:
    begun, ended = [], []

    def endless(connection: socket.socket) -> None:
        begun.append(connection)
        try:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000000\r\n\r\n")
            while True:
                connection.sendall(b"x" * 1_000_000)
        finally:
            ended.append(connection)

    services.news.on("GET", "/news/5", endless)
    with ExitStack() as ends:
        for _ in range(20):
            ends.enter_context(gateway.connect()).sendall(head("GET", "/news/5"))
        assert gateway.ask("GET", READ).status == 200
        end = time.monotonic() + 25
        while len(begun) < 20 or len(ended) < 12:  # Half of the sixteen threads may wait for their clients.
            assert time.monotonic() < end, (len(begun), len(ended))
            time.sleep(0.05)
        assert gateway.ask("GET", READ).status == 200


def test_w60_a_role_with_a_line_end_is_401(gateway: Any, services: Any, sign: Callable[..., str]) -> None:
    token = sign(roles=["a\r\nX-Evil: 1"])
    assert gateway.ask("GET", "/api/v1/users/me", headers={"Authorization": f"Bearer {token}"}).status == 401
    assert services.user.requests == []


def test_w61_a_token_that_expires_is_refused_though_it_was_accepted(gateway: Any, sign: Callable[..., str]) -> None:
    now = int(time.time())
    headers = {"Authorization": f"Bearer {sign(exp=now + 2)}"}
    assert gateway.ask("GET", "/api/v1/users/me", headers=headers).status == 200
    end = time.monotonic() + 4
    while gateway.ask("GET", "/api/v1/users/me", headers=headers).status == 200 and time.monotonic() < end:
        time.sleep(0.1)
    assert gateway.ask("GET", "/api/v1/users/me", headers=headers).status == 401


def hang_up(connection: socket.socket) -> None:
    """Close without an answer, as a service does that lets an idle connection go."""


def cut_off(sent: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.sendall(sent)

    return answer
