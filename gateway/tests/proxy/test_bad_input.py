"""What is malformed: each refusal is a problem with a request id and a log line, and no service hears of it."""

import json
import socket
from dataclasses import dataclass
from typing import Any

import pytest

LONG = "a" * 9000
HOST = "Host: xinjing.example"
CHUNKED = "Transfer-Encoding: chunked"


@dataclass(frozen=True)
class Bad:
    """A request, and what it is answered; half of one is sent until its client says the end, or until its deadline."""

    status: int
    code: str
    first: str
    lines: tuple[str, ...] = (HOST,)
    body: bytes = b""
    is_kept: bool = False  # Whether the connection may go on: the request itself was whole.


READ, WRITE = "GET /api/v1/categories", "POST /api/v1/captchas"
BAD = {
    "no request line": Bad(400, "request_refused", "nonsense"),
    "a path in two meanings": Bad(400, "request_refused", "GET /api/v1/..%2fusers HTTP/1.1", is_kept=True),
    "no host": Bad(400, "request_refused", f"{READ} HTTP/1.1", (), is_kept=True),
    "two hosts": Bad(400, "request_refused", f"{READ} HTTP/1.1", (HOST, HOST)),
    "a header without a name": Bad(400, "request_refused", f"{READ} HTTP/1.1", (HOST, ": a")),
    "two lengths": Bad(400, "request_refused", f"{WRITE} HTTP/1.1", (HOST, "Content-Length: 1", "Content-Length: 2")),
    "length and chunks": Bad(400, "request_refused", f"{WRITE} HTTP/1.1", (HOST, "Content-Length: 5", CHUNKED)),
    "a malformed chunk": Bad(400, "request_refused", f"{WRITE} HTTP/1.1", (HOST, CHUNKED), b"zz\r\n"),
    "chunks of HTTP/1.0": Bad(400, "request_refused", f"{WRITE} HTTP/1.0", (HOST, CHUNKED), b"0\r\n\r\n"),
    "half a body": Bad(400, "request_refused", f"{WRITE} HTTP/1.1", (HOST, "Content-Length: 9"), b"half"),
    "a large body": Bad(413, "body_too_large", f"{WRITE} HTTP/1.1", (HOST, "Content-Length: 1048577")),
    "large chunks": Bad(
        413, "body_too_large", f"{WRITE} HTTP/1.1", (HOST, CHUNKED), b"100001\r\n" + b"x" * 0x100001 + b"\r\n0\r\n\r\n"
    ),
    "a long address": Bad(414, "address_too_long", f"{READ}?{LONG} HTTP/1.1"),
    "another expectation": Bad(417, "expectation_failed", f"{WRITE} HTTP/1.1", (HOST, "Expect: a-pony")),
    "a long header": Bad(431, "headers_too_large", f"{READ} HTTP/1.1", (HOST, f"X-Long: {LONG}")),
    "many headers": Bad(431, "headers_too_large", f"{READ} HTTP/1.1", (HOST, *["X-Many: 1"] * 101)),
    "long headers of one name": Bad(
        431, "headers_too_large", f"{READ} HTTP/1.1", (HOST, *[f"X-Long: {LONG[:4100]}"] * 2), is_kept=True
    ),
    "another coding": Bad(
        501,
        "transfer_coding_unsupported",
        f"{WRITE} HTTP/1.1",
        (HOST, "Transfer-Encoding: gzip, chunked"),
        b"0\r\n\r\n",
    ),
    "no version": Bad(400, "request_refused", f"{READ} HTTP/two"),
    "HTTP/2.0": Bad(505, "http_version_unsupported", f"{READ} HTTP/2.0"),
    "HTTP/0.9": Bad(505, "http_version_unsupported", f"{READ} HTTP/0.9"),
    "the preface of HTTP/2": Bad(400, "request_refused", "PRI * HTTP/2.0", (), b"SM\r\n\r\n"),
}


@pytest.mark.parametrize("name", BAD)
def test_w62_a_malformed_request_is_a_problem_and_reaches_no_service(gateway: Any, services: Any, name: str) -> None:
    bad = BAD[name]
    head = "\r\n".join([bad.first, *bad.lines, "", ""]).encode()
    with gateway.connect() as connection:
        connection.sendall(head + bad.body)
        connection.shutdown(socket.SHUT_WR)
        answer = everything_from(connection)
    check_problem(gateway, answer, bad)
    assert (b"\r\nConnection: close\r\n" in answer) is not bad.is_kept
    assert [stub.requests for stub in services.each()] == [[], [], [], []]


@pytest.mark.parametrize(
    "sent",
    [
        f"{READ} HTTP/1.1\r\n{HOST}\r\nX-A".encode(),
        f"{WRITE} HTTP/1.1\r\n{HOST}\r\nContent-Length: 100\r\n\r\n{{".encode(),
    ],
    ids=["head", "body"],
)
def test_w62_half_a_request_is_408_at_its_deadline_and_reaches_no_service(
    gateway: Any, services: Any, sent: bytes
) -> None:
    with gateway.connect() as connection:
        connection.settimeout(60)
        connection.sendall(sent)
        answer = everything_from(connection)
    check_problem(gateway, answer, Bad(408, "request_timeout", ""))
    assert b"\r\nConnection: close\r\n" in answer
    assert [stub.requests for stub in services.each()] == [[], [], [], []]


def check_problem(gateway: Any, answer: bytes, bad: Bad) -> None:
    """Check a whole answer, and the one line in the log about it."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")[1:]
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    problem = json.loads(body)
    assert (status_of(answer), problem["status"], problem["code"]) == (bad.status, bad.status, bad.code)
    assert headers["content-type"] == "application/problem+json"
    assert int(headers["content-length"]) == len(body)
    assert headers["x-request-id"] == problem["request_id"] != ""
    assert headers["cache-control"] == "no-store"
    (line,) = gateway.lines_of(problem["request_id"])
    assert (line["event"], line["status"], len(line["trace_id"])) == ("request", bad.status, 32)


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def everything_from(connection: socket.socket) -> bytes:
    received = b""
    while part := connection.recv(65536):
        received += part
    return received


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.2", "HTTP/1.9"])
def test_w16_another_minor_version_is_served(gateway: Any, services: Any, version: str) -> None:
    answer = gateway.raw(f"{READ} {version}\r\n{HOST}\r\nConnection: close\r\n\r\n".encode())
    assert status_of(answer) == 200
    assert services.news.count(*READ.split(" ")) == 1
