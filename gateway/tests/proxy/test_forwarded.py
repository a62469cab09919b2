"""What proxies write about a client is read as mildly as it is written, and from proxies that are trusted alone."""

import json
import time
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest
import structlog
from redis import Redis

from gateway.auth.csrf import SameSite
from gateway.proxy.forwarded import Client, TrustedProxies, is_host
from gateway.proxy.request import read_request

OURS = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
READ = "/api/v1/categories"


def environ_of(peer: str, **headers: str) -> dict[str, Any]:
    named = {f"HTTP_{name.upper()}": value for name, value in {"Host": "h", **headers}.items()}
    return {"REQUEST_METHOD": "POST", "RAW_URI": "/", "REMOTE_ADDR": peer, "wsgi.url_scheme": "http", **named}


def client_of(peer: str, **headers: str) -> Client:
    return TrustedProxies(OURS).read_client(environ_of(peer, **headers))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("9.9.9.9", "6.6.6.6", "9.9.9.9"),
        ("10.0.0.1", "6.6.6.6", "6.6.6.6"),
        ("10.0.0.1", "1.1.1.1, 6.6.6.6", "6.6.6.6"),
        ("10.0.0.1", "1.1.1.1, 6.6.6.6, 10.0.0.2", "6.6.6.6"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("::ffff:10.0.0.1", "6.6.6.6", "6.6.6.6"),
        ("fd00::1", "6.6.6.6", "6.6.6.6"),
    ],
)
def test_w04_only_our_proxies_say_who_the_client_is(peer: str, forwarded: str, expected: str) -> None:
    client = client_of(peer, X_Forwarded_For=forwarded, X_Forwarded_Proto="https")
    assert client.ip == expected
    assert client.scheme == ("http" if peer == "9.9.9.9" else "https")


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ("203.0.113.9:51008", "203.0.113.9"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ('"[2001:DB8::1]:443"', "2001:db8::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        (" 203.0.113.9 ,, ", "203.0.113.9"),
        ("203.0.113.9:1, 10.0.0.2:2", "203.0.113.9"),
    ],
)
def test_an_address_may_come_with_port_brackets_and_quotes(forwarded: str, expected: str) -> None:
    assert client_of("10.0.0.1", X_Forwarded_For=forwarded).ip == expected


@pytest.mark.parametrize(
    "forwarded",
    ["unknown", "_hidden", "6.6.6.6, unknown", "203.0.113.999", "1.2.3.4:x", "[", "[]", "[::1", ":", "a" * 500, "\xe9"],
)
def test_an_unreadable_address_counts_as_absent(forwarded: str) -> None:
    assert client_of("10.0.0.1", X_Forwarded_For=forwarded).ip == "10.0.0.1"
    assert client_of("10.0.0.1", X_Forwarded_For=f"{forwarded}, 10.0.0.2").ip == "10.0.0.2"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X_Forwarded_Proto": "HTTPS", "X_Forwarded_Host": "news.example.com"}, ("https", "news.example.com", "")),
        ({"X_Forwarded_Proto": "on", "X_Forwarded_Host": "two words"}, ("http", "h", "")),
        ({"X_Forwarded_Proto": "", "X_Forwarded_Host": ""}, ("http", "h", "")),
        ({"X_Forwarded_Proto": "forged, https", "X_Forwarded_Host": "evil, a:443"}, ("https", "a:443", "")),
        ({"X_Forwarded_Port": "8443"}, ("http", "h", "8443")),
        ({"X_Forwarded_Port": "a"}, ("http", "h", "")),
        ({"Forwarded": "for=;;;proto=x", "X_Real_Ip": "nonsense", "X_Forwarded_Ssl": "on"}, ("http", "h", "")),
    ],
)
def test_scheme_host_and_port_are_read_or_count_as_absent(
    headers: dict[str, str], expected: tuple[str, str, str]
) -> None:
    client = client_of("10.0.0.1", **headers)
    assert (client.scheme, client.host, client.port) == expected
    untrusted = client_of("9.9.9.9", **headers)
    assert (untrusted.scheme, untrusted.host, untrusted.port) == ("http", "h", "")


def test_the_outermost_of_our_proxies_says_which_address_was_opened() -> None:
    headers = {
        "X_Forwarded_For": "forged, 203.0.113.9, 10.0.0.2",
        "X_Forwarded_Host": "forged, news.example.com, inner",
    }
    client = client_of("10.0.0.1", X_Forwarded_Proto="forged, https, http", **headers)
    assert (client.ip, client.scheme, client.host) == ("203.0.113.9", "https", "news.example.com")


@pytest.mark.parametrize(
    ("origin", "headers"),
    [
        ("https://news.example.com", {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "news.example.com"}),
        ("https://news.example.com", {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "news.example.com:443"}),
        ("https://h:8443", {"X_Forwarded_Proto": "https", "X_Forwarded_Port": "8443"}),
        ("https://h", {"X_Forwarded_Proto": "https", "X_Forwarded_Port": "8080"}),
        ("http://h", {"X_Forwarded_Port": "80"}),
    ],
)
def test_a_page_behind_a_proxy_of_ours_may_sign_in(origin: str, headers: dict[str, str]) -> None:
    environ = environ_of("10.0.0.1", Origin=origin, **headers)
    SameSite().require(read_request(environ, TrustedProxies(OURS).read_client(environ)))


def test_what_is_ignored_is_logged_once_a_minute_with_its_count(clock: Any) -> None:
    proxies = TrustedProxies(OURS, clock=clock)
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            proxies.read_client(environ_of("9.9.9.9", X_Forwarded_For="6.6.6.6"))
            clock.now += 25
        proxies.read_client(environ_of("9.9.9.8", X_Real_Ip="6.6.6.6"))
        proxies.read_client(environ_of("10.0.0.1", X_Forwarded_For="unknown"))
        proxies.read_client(environ_of("10.0.0.1", Forwarded="for=6.6.6.6"))
    assert [(line["reason"], line["client_ip"], line["count"]) for line in lines] == [
        ("untrusted", "9.9.9.9", 1),
        ("untrusted", "9.9.9.8", 3),
        ("unreadable", "10.0.0.1", 1),
    ]


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("9.9.9.9", {}),
        ("9.9.9.9", {"Via": "1.1 proxy"}),
        ("10.0.0.1", {}),
        ("10.0.0.1", {"X_Forwarded_For": "6.6.6.6"}),
    ],
)
def test_nothing_is_said_of_plain_requests_and_of_those_of_our_proxies(peer: str, headers: dict[str, str]) -> None:
    with structlog.testing.capture_logs() as lines:
        client_of(peer, **headers)
    assert lines == []


def test_readiness_remarks_for_ten_minutes_that_headers_were_ignored(clock: Any) -> None:
    proxies = TrustedProxies(OURS, clock=clock)
    clock.now = 2_000_000_000
    assert proxies.remarks() == {}
    proxies.read_client(environ_of("9.9.9.9", Forwarded="for=6.6.6.6"))
    clock.now += 600
    assert list(proxies.remarks()) == ["forwarded_headers"]
    clock.now += 1
    assert proxies.remarks() == {}


@pytest.mark.parametrize("host", ["h", "[::1]:8000"])
def test_a_host_is_a_host(host: str) -> None:
    assert is_host(host)


def test_the_gateway_says_that_it_ignores_the_headers_of_an_unknown_proxy(
    start_gateway: Callable[..., Any], services: Any
) -> None:
    gateway = start_gateway()
    assert "remarks" not in gateway.ask("GET", "/readyz").json
    gateway.ask("GET", READ, headers={"X-Forwarded-For": "6.6.6.6"})
    ready = gateway.ask("GET", "/readyz")
    assert (ready.status, ready.json["status"]) == (200, "ready")
    assert "GATEWAY_TRUSTED_PROXIES" in ready.json["remarks"]["forwarded_headers"]
    (warning,) = [line for line in logged(gateway) if line["event"] == "forwarded_headers_ignored"]
    assert (warning["client_ip"], warning["reason"], warning["level"]) == ("127.0.0.0/24", "untrusted", "warning")


def logged(gateway: Any, *, until: str = "") -> list[dict[str, Any]]:
    """Read the log, whose lines of requests come in batches; wait for that of a request id."""
    end = time.monotonic() + 30
    while True:
        *text, _unfinished = gateway.log.read_text().split("\n")
        lines = [json.loads(line) for line in text]
        if not until or any(line.get("request_id") == until for line in lines):
            return lines
        assert time.monotonic() < end, lines
        time.sleep(0.05)


@pytest.mark.parametrize("written", ["203.0.113.9", "203.0.113.9:51008", "6.6.6.6, 203.0.113.9"])
def test_one_line_tells_of_a_request_and_names_the_client_behind_a_proxy(
    start_gateway: Callable[..., Any], services: Any, redis: Redis, written: str
) -> None:
    gateway = start_gateway(trusted_proxies="127.0.0.1")
    headers = {"X-Forwarded-For": written, "X-Request-Id": "one"}
    answers = [
        gateway.ask("GET", READ, headers=headers),
        gateway.ask("GET", "/nothing", headers=headers | {"X-Request-Id": "two"}),
        gateway.ask("GET", "/docs", headers=headers | {"X-Request-Id": "three"}),
        gateway.ask("GET", "/internal/x", headers=headers | {"X-Request-Id": "four"}),
        gateway.ask("GET", "/healthz", headers=headers | {"X-Request-Id": "five"}),
        gateway.ask("HEAD", "/readyz", headers=headers | {"X-Request-Id": "six"}),
    ]
    assert [answer.status for answer in answers] == [200, 404, 200, 404, 200, 200]
    gateway.ask("GET", "/nothing", headers={"X-Request-Id": "last"})
    lines = [
        line
        for line in logged(gateway, until="last")
        if line.get("request_id") in ("one", "two", "three", "four", "five", "six")
    ]
    assert [(line["request_id"], line["route"], line["status"]) for line in lines] == [
        ("one", READ, 200), ("two", "unmatched", 404), ("three", "/docs", 200), ("four", "no rule", 404),
    ]  # fmt: skip
    assert {line["client_ip"] for line in lines} == {"203.0.113.0/24"}
    assert all(line.keys() >= {"method", "seconds", "service", "timestamp"} for line in lines)
    assert services.news.last.values("X-Forwarded-For") == ["203.0.113.9"]


def test_addresses_are_logged_whole_if_the_operator_says_so(
    start_gateway: Callable[..., Any], services: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG_CLIENT_ADDRESSES", "whole")
    gateway = start_gateway(trusted_proxies="127.0.0.1")
    gateway.ask("GET", READ, headers={"X-Forwarded-For": "203.0.113.9", "X-Request-Id": "one"})
    lines = logged(gateway, until="one")
    assert [line["client_ip"] for line in lines if line["event"] == "request"] == ["203.0.113.9"]


def test_clients_behind_a_proxy_have_limits_of_their_own(
    start_gateway: Callable[..., Any], services: Any, redis: Redis
) -> None:
    gateway = start_gateway(trusted_proxies="127.0.0.1", captchas_per_ip_per_minute="2")

    def issue(forwarded: str) -> int:
        status: int = gateway.send_json("POST", "/api/v1/captchas", {}, X_Forwarded_For=forwarded).status
        return status

    assert [issue(f"203.0.113.{number}:{number}") for number in range(1, 15)] == [200] * 14
    assert [issue(f"6.6.6.{number}, 203.0.113.99") for number in range(4)] == [200, 200, 429, 429]


def test_a_whole_address_as_target_reaches_the_service_as_a_path(gateway: Any, services: Any) -> None:
    request = f"GET http://xinjing.example{READ}?a=b HTTP/1.1\r\nHost: xinjing.example\r\nConnection: close\r\n\r\n"
    assert gateway.raw(request.encode()).startswith(b"HTTP/1.1 200")
    assert services.news.last.target == f"{READ}?a=b"
    assert gateway.raw(request.replace("http://xinjing", "http://evil").encode()).startswith(b"HTTP/1.1 400")
    page = request.replace(READ, "/docs").replace("?a=b", "")
    assert gateway.raw(page.encode()).startswith(b"HTTP/1.1 200")
