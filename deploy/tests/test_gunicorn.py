"""What gunicorn answers by itself, under the configuration that is shipped, byte by byte."""

import json
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

WAIT_SECONDS = 60
HEALTH = "GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
# Each request that gunicorn refuses before any app sees it, with the status and code of the answer.
REFUSED: dict[bytes, tuple[int, str]] = {
    b"nonsense\r\n\r\n": (400, "request_refused"),
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n": (400, "request_refused"),
    b"PROXY TCP4 203.0.113.9 192.0.2.1 51008 80\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n": (400, "request_refused"),
    b"get /healthz HTTP/1.1\r\nHost: h\r\n\r\n": (400, "request_refused"),
    b"GET /healthz HTTP/9.9\r\nHost: h\r\n\r\n": (505, "http_version_unsupported"),
    HEALTH.encode() + b"a b: c\r\n\r\n": (400, "request_refused"),
    HEALTH.encode() + b"X: y\r\n folded\r\n\r\n": (400, "request_refused"),
    HEALTH.encode() + b"X: bare\nY: z\r\n\r\n": (400, "request_refused"),
    HEALTH.encode() + b"Content-Length: 5, 6\r\n\r\n": (400, "request_refused"),
    HEALTH.encode() + b"Host: twice\r\n\r\n": (400, "request_refused"),
    b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: h\r\n\r\n": (414, "address_too_long"),
    HEALTH.encode() + b"Expect: a miracle\r\n\r\n": (417, "expectation_failed"),
    HEALTH.encode() + b"X: " + b"a" * 20_000 + b"\r\n\r\n": (431, "headers_too_large"),
    HEALTH.encode() + b"".join(b"X-%d: 1\r\n" % number for number in range(200)) + b"\r\n": (431, "headers_too_large"),
    HEALTH.encode() + b"Transfer-Encoding: rot13\r\n\r\n": (501, "transfer_coding_unsupported"),
}


def exchange(port: int, request: bytes) -> tuple[str, dict[str, str], bytes]:
    """Send bytes and read to the end: status line, headers by lower-case name, body."""
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS) as connection:
        connection.sendall(request)
        received = b""
        while part := connection.recv(65536):
            received += part
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    return status, {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}, body


def refusals(running: Any, count: int) -> list[dict[str, Any]]:
    """Wait for so many lines of refused requests, which are written in batches, and read all."""
    end = time.monotonic() + WAIT_SECONDS
    while True:
        *text, _unfinished = running.log.read_text().split("\n")
        lines = [json.loads(line) for line in text if '"unreadable"' in line]
        if len(lines) >= count:
            return lines
        assert time.monotonic() < end, text
        time.sleep(0.05)


def test_what_gunicorn_refuses_is_a_problem_with_a_request_id(service: str, start_service: Callable[..., Any]) -> None:
    running = start_service(service)
    for request, (status, code) in REFUSED.items():
        line, headers, body = exchange(running.port, request)
        problem = json.loads(body)
        assert (line.split(" ")[1], problem["status"], problem["code"]) == (str(status), status, code), request[:60]
        assert headers["content-type"] == "application/problem+json"
        assert (headers["connection"], headers["content-length"]) == ("close", str(len(body)))
        assert headers["x-request-id"] == problem["request_id"] != ""
        assert "server" not in headers
    lines = refusals(running, len(REFUSED))
    assert [each["status"] for each in lines] == [status for status, _ in REFUSED.values()]
    assert {each["client_ip"] for each in lines} == {"127.0.0.0/24"}
    assert "miracle" not in running.log.read_text()
    counted = f'http_requests_total{{method="other",route="unreadable",service="{service}",status="417"}}'
    assert running.counts()[counted] == 1


def test_no_answer_names_the_server(service: str, shared_service: Callable[..., Any]) -> None:
    running = shared_service(service)
    for url in (f"{running.url}/healthz", f"{running.url}/nothing", running.metrics_url):
        assert "Server" not in requests.get(url, timeout=WAIT_SECONDS).headers


def test_a_header_with_an_underscore_is_no_error(service: str, shared_service: Callable[..., Any]) -> None:
    running = shared_service(service)
    status, headers, _ = exchange(running.port, f"{HEALTH}X_Request_Id: underscored\r\n\r\n".encode())
    assert status == "HTTP/1.1 200 OK"
    assert headers["x-request-id"] != "underscored"


@pytest.fixture
def pair(shared_service: Callable[..., Any]) -> Any:
    """The gateway with captcha-service behind it."""
    captchas = shared_service("captcha-service")
    return shared_service(
        "gateway", GATEWAY_CAPTCHA_SERVICE_URL=captchas.url, GATEWAY_CAPTCHAS_PER_IP_PER_MINUTE="1000"
    )


ISSUE = "POST /api/v1/captchas HTTP/1.1\r\nHost:h\r\nConnection:close\r\nContent-Length:2\r\n"
ISSUE += "Content-Type:application/json\r\n"


@pytest.mark.parametrize(
    "more",
    [
        "".join(f"X-Number-{number}:1\r\n" for number in range(96)),
        f"X-Long:{'a' * (8190 - len('X-Long:') - 2)}\r\n",
        f"Cookie:{'a' * (8190 - len('Cookie:') - 2)}\r\n",
        f"X-Twice:{'a' * 4000}\r\nX-Twice:{'b' * 4000}\r\n",
    ],
    ids=["number", "length", "cookie", "repeated"],
)
def test_what_passes_the_gateways_bounds_passes_the_service(pair: Any, more: str) -> None:
    status, _, body = exchange(pair.port, f"{ISSUE}{more}\r\n{{}}".encode())
    assert (status, body[:7]) == ("HTTP/1.1 201 CREATED", b'{"audio')


@pytest.mark.parametrize(
    "more",
    [
        "".join(f"X-Number-{number}:1\r\n" for number in range(97)),
        f"X-Long:{'a' * (8190 - len('X-Long:') - 1)}\r\n",
        f"X-Twice:{'a' * 4200}\r\nX-Twice:{'b' * 4200}\r\n",
    ],
    ids=["number", "length", "repeated"],
)
def test_what_is_beyond_them_is_refused_by_the_gateway(pair: Any, more: str) -> None:
    status, _, body = exchange(pair.port, f"{ISSUE}{more}\r\n{{}}".encode())
    assert (status.split(" ")[1], json.loads(body)["code"]) == ("431", "headers_too_large")
    assert 'service="gateway",status="431"' in pair.text()
