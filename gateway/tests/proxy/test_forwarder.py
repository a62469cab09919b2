"""The micro-cache inside the running gateway: over sockets, in its threads, in its log and its metrics."""

import json
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

WAIT_SECONDS = 20


@pytest.fixture
def target(request: pytest.FixtureRequest) -> str:
    """An address that no other test has: the gateway keeps answers for as long as it runs."""
    return f"/api/v1/news?test={request.node.name.replace('[', '-').rstrip(']')}"


def await_true(is_true: Callable[[], object]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.01)


def after(event: threading.Event, answer: bytes) -> Callable[[socket.socket], None]:
    """Answer when an event comes, and close."""

    def send(connection: socket.socket) -> None:
        event.wait(WAIT_SECONDS)
        connection.sendall(answer)

    return send


def test_a_hit_asks_nobody_and_looks_as_the_service_answered(
    gateway: Any, services: Any, answering: Callable[..., bytes], target: str
) -> None:
    lines = ["Cache-Control: public, max-age=60", 'ETag: "a"', "Date: Fri, 27 Nov 2026 08:00:00 GMT", "Age: 5"]
    services.news.on("GET", "/api/v1/news", answering("200 Fine", b"whole", *lines, "Content-Type: a/b", "Age: 9"))
    services.news.on(
        "GET", "/api/v1/news", answering("200 OK", b"whole", "CDN-Cache-Control: max-age=99999999", *lines)
    )
    first, second = (gateway.ask("GET", target) for _ in range(2))
    assert services.news.count("GET", "/api/v1/news") == 1
    assert (second.status, second.body, second.value("ETag")) == (200, b"whole", '"a"')
    assert second.value("Date") == "Fri, 27 Nov 2026 08:00:00 GMT"
    assert int(second.value("Age")) >= 5
    assert first.value("Cache-Status") == "xinjing; fwd=miss; stored"
    assert second.value("Cache-Status").startswith("xinjing; hit; ttl=")
    assert first.value("X-Request-Id") != second.value("X-Request-Id")
    changed = {"Age", "Cache-Status", "X-Request-Id"}
    same = [sorted(line for line in each.headers if line[0] not in changed) for each in (first, second)]
    assert same[0] == same[1]
    head = gateway.ask("HEAD", target)
    assert (head.status, head.body, head.value("Content-Length")) == (200, b"", "5")
    assert gateway.ask("GET", target, headers={"If-None-Match": '"a"'}).status == 304
    part = gateway.ask("GET", target, headers={"Range": "bytes=1-2"})
    assert (part.status, part.body) == (206, b"ho")
    assert services.news.count("GET", "/api/v1/news") == 1


def test_a_get_with_a_body_passes_the_cache_by(
    gateway: Any, services: Any, answering: Callable[..., bytes], target: str
) -> None:
    services.news.on("GET", "/api/v1/news", answering("200 OK", b"{}", "Cache-Control: max-age=60"))
    for body in (None, b"asks something else", b"asks something else"):
        gateway.ask("GET", target, body=body)
    assert [seen.body for seen in services.news.requests] == [b"", b"asks something else", b"asks something else"]


def test_only_if_cached_is_504(gateway: Any, services: Any, target: str) -> None:
    answer = gateway.ask("GET", target, headers={"Cache-Control": "only-if-cached"})
    assert (answer.status, answer.json["code"], services.news.requests) == (504, "upstream_timeout", [])


def test_many_clients_make_one_request(
    gateway: Any, services: Any, answering: Callable[..., bytes], target: str
) -> None:
    go_on = threading.Event()
    services.news.on("GET", "/api/v1/news", after(go_on, answering("200 OK", b"whole", "Cache-Control: max-age=60")))
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(gateway.ask, "GET", target) for _ in range(8)]
        await_true(lambda: services.news.requests)
        go_on.set()
        answers = [each.result(WAIT_SECONDS) for each in asked]
    assert [answer.body for answer in answers] == [b"whole"] * 8
    assert services.news.count("GET", "/api/v1/news") == 1


def test_a_stale_answer_comes_at_once_and_a_thread_refreshes_it(
    gateway: Any, services: Any, answering: Callable[..., bytes], target: str
) -> None:
    said, go_on = "Cache-Control: max-age=60, stale-while-revalidate=600", threading.Event()
    services.news.on(
        "GET",
        "/api/v1/news",
        answering("200 OK", b"old", said, "Age: 90"),
        after(go_on, answering("200 OK", b"new", said)),
    )
    assert gateway.ask("GET", target).body == b"old"
    stale = gateway.ask("GET", target)
    assert (stale.body, stale.value("Cache-Status")) == (b"old", "xinjing; hit; ttl=-30")
    await_true(lambda: len(services.news.requests) == 2)
    go_on.set()
    await_true(lambda: gateway.ask("GET", target).body == b"new")
    assert len(services.news.requests) == 2


# Paths of their own: a thread asks the service again, maybe when the next test has begun.
@pytest.mark.parametrize(("failure", "path"), [("away", "/api/v1/categories"), ("503", "/api/v1/news/7")])
def test_stale_if_error_hides_a_service_that_is_away(
    gateway: Any, services: Any, answering: Callable[..., bytes], target: str, failure: str, path: str
) -> None:
    said, target = "Cache-Control: max-age=60, stale-if-error=600", f"{path}?{target.partition('?')[2]}"
    services.news.on(
        "GET",
        path,
        answering("200 OK", b"old", said, "Age: 90"),
        (lambda _: None) if failure == "away" else answering("503 SERVICE UNAVAILABLE", b"{}"),
    )
    assert gateway.ask("GET", target).body == b"old"
    assert (gateway.ask("GET", target).status, gateway.ask("GET", target).body) == (200, b"old")


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_large_answer_streams_and_is_stored_at_its_end(
    gateway: Any, services: Any, answering: Callable[..., bytes], target: str, framing: str
) -> None:
    body = b"x" * 200_000
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: max-age=60\r\n\r\n"
    chunked += b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    whole = answering("200 OK", body, "Cache-Control: max-age=60")
    services.news.on("GET", "/api/v1/news", whole if framing == "length" else chunked)
    assert gateway.ask("GET", target).body == body
    answer = gateway.ask("GET", target)
    assert (answer.body, answer.value("Content-Length")) == (body, "200000")
    assert services.news.count("GET", "/api/v1/news") == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\r\nends with the connection",
        b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 99999\r\n\r\nbreaks off" + b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 1048577\r\n\r\n" + b"x" * 1_048_577,
    ],
    ids=["no-end", "cut", "too-long"],
)
def test_what_has_no_sure_end_or_is_too_long_is_not_stored(
    gateway: Any, services: Any, target: str, answer: bytes
) -> None:
    services.news.on("GET", "/api/v1/news", lambda connection: connection.sendall(answer))
    for _ in range(2):
        gateway.raw(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert services.news.count("GET", "/api/v1/news") == 2


def test_events_of_a_stream_arrive_as_they_are_sent(gateway: Any, services: Any, target: str) -> None:
    go_on = threading.Event()

    def send(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: max-age=60\r\n\r\n")
        connection.sendall(b"5\r\nfirst\r\n")
        go_on.wait(WAIT_SECONDS)
        connection.sendall(b"6\r\nsecond\r\n0\r\n\r\n")

    services.news.on("GET", "/api/v1/news", send)
    with gateway.connect() as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        received = b""
        while b"first" not in received:
            received += connection.recv(65536)
        go_on.set()
        while part := connection.recv(65536):
            received += part
    assert b"second" in received


def test_a_successful_change_drops_what_its_answer_names(
    gateway: Any, services: Any, answering: Callable[..., bytes]
) -> None:
    services.captcha.on(
        "POST", "/api/v1/captchas", answering("201 CREATED", b"{}", "Content-Location: /api/v1/news?changed")
    )
    services.news.on("GET", "/api/v1/news", answering("200 OK", b"{}", "Cache-Control: max-age=60"))
    for expected in (1, 1):
        gateway.ask("GET", "/api/v1/news?changed")
        assert services.news.count("GET", "/api/v1/news") == expected
    gateway.send_json("POST", "/api/v1/captchas", {})
    gateway.ask("GET", "/api/v1/news?changed")
    assert services.news.count("GET", "/api/v1/news") == 2


def test_a_signed_in_page_neither_comes_from_the_cache_nor_enters_it(
    gateway: Any, services: Any, answering: Callable[..., bytes], sign: Callable[..., str]
) -> None:
    page, headers = "/?test=signed-in", {"Cookie": f"__Host-xinjing_at={sign()}"}
    said = "Cache-Control: public, max-age=60"
    services.news.on("GET", "/", answering("200 OK", b"for 7", said), answering("200 OK", b"for all", said))
    assert gateway.ask("GET", page, headers=headers).body == b"for 7"
    assert gateway.ask("GET", page).body == b"for all"
    services.news.on("GET", "/", answering("200 OK", b"for 7 again", said))
    answer = gateway.ask("GET", page, headers=headers)
    assert (answer.body, answer.value("Cache-Status")) == (b"for 7 again", "xinjing; fwd=bypass")
    assert gateway.ask("GET", page).body == b"for all"


def test_the_log_tells_how_a_read_was_answered(
    gateway: Any, services: Any, answering: Callable[..., bytes], target: str
) -> None:
    services.news.on("GET", "/api/v1/news", answering("200 OK", b"{}", "Cache-Control: max-age=60"))
    ids = [gateway.ask("GET", target).value("X-Request-Id") for _ in range(2)]

    def results() -> list[str]:
        lines = [json.loads(line) for line in gateway.log.read_text().splitlines() if line.startswith("{")]
        found = {
            line.get("request_id"): line["cache"] for line in lines if line["event"] == "request" and "cache" in line
        }
        return [found.get(each) for each in ids]  # type: ignore[misc]

    await_true(lambda: results() == ["miss", "hit"])


def test_the_cache_can_be_off(
    start_gateway: Callable[..., Any], services: Any, answering: Callable[..., bytes], target: str
) -> None:
    gateway = start_gateway(cache_bytes="0")
    services.news.on("GET", "/api/v1/news", answering("200 OK", b"{}", "Cache-Control: max-age=60"))
    assert [gateway.ask("GET", target).values("Cache-Status") for _ in range(2)] == [[], []]
    assert services.news.count("GET", "/api/v1/news") == 2
