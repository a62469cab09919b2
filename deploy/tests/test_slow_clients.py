"""Slow clients, which send half a request or read nothing, stop no service under the gunicorn that is shipped."""

import json
import os
import resource
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

WAIT_SECONDS = 60
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
HALF_HEAD = b"GET /healthz HTTP/1.1\r\nHost: h\r\nX-A"
JSON_HEAD = b"POST /api/v1/sessions HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
HALF_BODIES = {
    "length": JSON_HEAD + b"Content-Length: 900000\r\n\r\n" + b"a" * 70_000,
    "chunks": JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhell",
    "expectation": JSON_HEAD + b"Expect: 100-continue\r\nContent-Length: 900000\r\n\r\n",
    "few bytes": JSON_HEAD + b"Content-Length: 100\r\n\r\n{",
}


@pytest.fixture
def connect() -> Iterator[Callable[..., list[socket.socket]]]:
    """Open connections to a port and send the same bytes on each; all are closed at the end."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    with ExitStack() as ends:

        def open_connections(port: int, count: int, sent: bytes = b"") -> list[socket.socket]:
            opened = []
            for _ in range(count):
                connection = ends.enter_context(socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS))
                if sent:
                    connection.sendall(sent)
                opened.append(connection)
            return opened

        yield open_connections


def read_to_the_end(connection: socket.socket) -> bytes:
    received = b""
    try:
        while part := connection.recv(65536):
            received += part
    except ConnectionResetError:
        pass
    return received


def has_ended(connection: socket.socket) -> bool:
    """Say whether an answer or the end has come."""
    connection.setblocking(False)
    try:
        connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    return True


def test_no_crowd_of_slow_clients_stops_a_service(
    service: str, start_service: Callable[..., Any], connect: Callable[..., list[socket.socket]]
) -> None:
    running = start_service(service)
    connect(running.port, 500)
    connect(running.port, 200, HEALTH * 3)  # They read nothing.
    half = connect(running.port, 1000, HALF_HEAD)
    half += [each for sent in HALF_BODIES.values() for each in connect(running.port, 50, sent)]
    assert requests.get(f"{running.url}/healthz", timeout=WAIT_SECONDS).status_code == 200
    assert not has_ended(half[-1])  # The answer did not wait for the deadline of those who came before.


def drip(connection: socket.socket) -> bytes:
    """Send a byte now and then until something comes back, and return it."""
    connection.setblocking(False)
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        try:
            connection.send(b"a")
            return connection.recv(100)
        except BlockingIOError:
            time.sleep(0.25)
    raise AssertionError("no answer")


def test_half_a_head_has_ten_seconds_and_half_a_body_fifteen_and_each_gets_408(
    start_service: Callable[..., Any], connect: Callable[..., list[socket.socket]]
) -> None:
    running = start_service("captcha-service")
    silent = connect(running.port, 500)
    half = connect(running.port, 1000, HALF_HEAD)
    half += [each for sent in HALF_BODIES.values() for each in connect(running.port, 50, sent)]
    dripping = connect(running.port, 1, HALF_HEAD)[0]
    last = connect(running.port, 1, HALF_BODIES["few bytes"])[0]
    begun = time.monotonic()
    assert drip(dripping).startswith(b"HTTP/1.1 408 ")  # A byte now and then buys no time.
    assert time.monotonic() - begun >= 9.5
    assert read_to_the_end(last).startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - begun >= 14.5
    for connection in half:
        received = read_to_the_end(connection).removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        head, _, body = received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 ")
        assert json.loads(body)["code"] == "request_timeout"
    assert {read_to_the_end(connection) for connection in silent} == {b""}
    count = 'http_requests_total{method="other",route="unreadable",service="captcha-service",status="408"}'
    assert running.counts()[count] == 1202


def test_requests_in_pieces_and_in_a_row_are_each_answered_once(
    start_service: Callable[..., Any], connect: Callable[..., list[socket.socket]]
) -> None:
    running = start_service("captcha-service")
    connection = connect(running.port, 1)[0]
    for byte in HEALTH:
        connection.sendall(bytes([byte]))
    connection.sendall(HEALTH * 20 + HEALTH[:10])
    connection.sendall(HEALTH[10:].replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    received = read_to_the_end(connection)
    assert received.count(b"HTTP/1.1 200 OK") == 22
    assert received.count(b'{"status":"up"}') == 22


def test_a_client_that_ends_in_the_middle_is_refused_at_once(
    start_service: Callable[..., Any], connect: Callable[..., list[socket.socket]]
) -> None:
    running = start_service("captcha-service")
    begun = time.monotonic()
    connection = connect(running.port, 1, JSON_HEAD + b"Content-Length: 100\r\n\r\n{")[0]
    connection.shutdown(socket.SHUT_WR)
    assert read_to_the_end(connection)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 401", b"HTTP/1.1 404")
    assert time.monotonic() - begun < 14


def test_a_stopping_service_answers_what_it_began_and_waits_for_no_idle_client(
    start_service: Callable[..., Any], connect: Callable[..., list[socket.socket]]
) -> None:
    running = start_service("captcha-service")
    connect(running.port, 20)
    half = connect(running.port, 1, HEALTH[:20])[0]
    kept = connect(running.port, 1, HEALTH)[0]
    assert kept.recv(65536).startswith(b"HTTP/1.1 200")  # So the service knows the connection before, too.
    begun = time.monotonic()
    running.process.terminate()
    half.sendall(HEALTH[20:])
    assert read_to_the_end(half).startswith(b"HTTP/1.1 200")
    assert running.process.wait(WAIT_SECONDS) == 0
    assert time.monotonic() - begun < 18


def test_a_stopping_service_answers_those_who_wait_in_the_queue_of_the_kernel(
    start_service: Callable[..., Any], connect: Callable[..., list[socket.socket]]
) -> None:
    running = start_service("captcha-service")
    master = running.process.pid
    worker = int(Path(f"/proc/{master}/task/{master}/children").read_text().split()[0])
    os.kill(worker, signal.SIGSTOP)
    queued = connect(running.port, 20, HEALTH)
    running.process.terminate()
    os.kill(worker, signal.SIGCONT)
    assert [read_to_the_end(connection)[:12] for connection in queued] == [b"HTTP/1.1 200"] * 20
    assert running.process.wait(WAIT_SECONDS) == 0


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS).close()
    except (ConnectionRefusedError, ConnectionResetError):
        return False
    return True


def wait_for_readiness(running: Any, expected: int) -> None:
    """Ask on new connections until the answer is the expected one; each of them must be answered."""
    end = time.monotonic() + WAIT_SECONDS
    while requests.get(f"{running.url}/readyz", timeout=WAIT_SECONDS).status_code != expected:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_stopping_service_takes_connections_on_but_is_not_ready(
    start_service: Callable[..., Any], connect: Callable[..., list[socket.socket]]
) -> None:
    running = start_service("captcha-service", DRAIN_SECONDS="8")
    kept, received = connect(running.port, 1, HEALTH)[0], b""
    while not received.endswith(b"}\n"):
        received += kept.recv(65536)
    wait_for_readiness(running, 200)
    running.process.terminate()
    wait_for_readiness(running, 503)
    answer = requests.get(f"{running.url}/readyz", timeout=WAIT_SECONDS)
    assert (answer.json()["checks"]["stopping"], answer.headers["Connection"]) == ("down", "close")
    assert requests.get(f"{running.url}/healthz", timeout=WAIT_SECONDS).status_code == 200
    kept.sendall(HEALTH)
    received = read_to_the_end(kept)
    assert received.startswith(b"HTTP/1.1 200")
    assert b"Connection: close" in received
    assert running.process.wait(WAIT_SECONDS) == 0


def test_nobody_listens_any_more_while_the_last_requests_of_a_stopping_service_are_answered(
    start_service: Callable[..., Any], connect: Callable[..., list[socket.socket]]
) -> None:
    running = start_service("captcha-service")
    half = connect(running.port, 1, JSON_HEAD + b"Content-Length: 100\r\n\r\n{")[0]
    running.process.terminate()
    end = time.monotonic() + WAIT_SECONDS
    while listens(running.port):
        assert time.monotonic() < end
    assert not has_ended(half)


def test_a_reload_leaves_a_service_ready(start_service: Callable[..., Any]) -> None:
    running = start_service("captcha-service", DRAIN_SECONDS="3")
    master = running.process.pid
    children = Path(f"/proc/{master}/task/{master}/children")
    old = children.read_text().split()
    wait_for_readiness(running, 200)
    running.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + WAIT_SECONDS
    while set(old) & set(children.read_text().split()):
        assert requests.get(f"{running.url}/readyz", timeout=WAIT_SECONDS).status_code == 200
        assert time.monotonic() < end
    assert requests.get(f"{running.url}/readyz", timeout=WAIT_SECONDS).status_code == 200


def test_beyond_the_most_connections_the_oldest_idle_one_makes_room(
    start_service: Callable[..., Any], connect: Callable[..., list[socket.socket]]
) -> None:
    running = start_service("captcha-service", GUNICORN_CMD_ARGS="--worker-connections 30")
    silent = connect(running.port, 40)
    for _ in range(20):  # Some end while others have just sent something.
        for connection in connect(running.port, 40, HALF_HEAD):
            with suppress(OSError):
                connection.sendall(b": 1\r\n\r\n")
    end = time.monotonic() + WAIT_SECONDS
    while True:  # The last of the crowd may still be in the queue of the kernel, and push others out.
        try:
            assert requests.get(f"{running.url}/healthz", timeout=WAIT_SECONDS).status_code == 200
            break
        except requests.ConnectionError:
            assert time.monotonic() < end
    assert silent[0].recv(1) == b""
    assert "Traceback" not in running.log.read_text()


def test_slow_answers_of_one_service_hold_up_no_other_request(
    start_service: Callable[..., Any], connect: Callable[..., list[socket.socket]]
) -> None:
    with ExitStack() as ends, socket.create_server(("127.0.0.1", 0), backlog=256) as silent:
        gateway = start_service("gateway", GATEWAY_NEWS_SERVICE_URL=f"http://127.0.0.1:{silent.getsockname()[1]}")
        waiting = connect(gateway.port, 100, b"GET /api/v1/news HTTP/1.1\r\nHost: h\r\n\r\n")
        for _ in waiting:
            ends.enter_context(silent.accept()[0])  # So each has reached the service.
        assert requests.get(f"{gateway.url}/healthz", timeout=WAIT_SECONDS).status_code == 200
        assert not any(map(has_ended, waiting))
