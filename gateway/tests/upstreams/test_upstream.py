"""Requests to replicas on real sockets: which of them get a request again, and when a replica gets requests again."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from chassis.errors import DependencyUnavailable, UpstreamTimeout, UpstreamUnavailable
from chassis.identity import InternalTokens
from chassis.service_client import ServiceClient
from gateway.proxy.body import Body
from gateway.upstreams.adapter import UpstreamAdapter
from gateway.upstreams.health_checks import HealthChecks
from gateway.upstreams.upstream import Timeouts, Upstream, UpstreamRequest

WAIT_SECONDS = 30
NO_BODY = Body(b"", 0)
READ = UpstreamRequest("GET", "/x", [], NO_BODY)
WRITE = UpstreamRequest("POST", "/x", [], Body(b"{}", 2))
MakeUpstream = Callable[..., Upstream]


@pytest.fixture
def make_upstream() -> Iterator[MakeUpstream]:
    """Make the upstream of some stubs, or of addresses, whose replicas are looked after."""
    with ExitStack() as ends:

        def make(*stubs: Any, read_seconds: float = 10.0) -> Upstream:
            addresses = [getattr(stub, "url", stub) for stub in stubs]
            upstream = Upstream("news-service", addresses, timeouts=Timeouts(1.0, read_seconds, 10.0), threads=16)
            ends.callback(upstream.close)
            for thread in (*upstream.names, HealthChecks([upstream])):
                thread.start()
                ends.callback(thread.stop)
            return upstream

        yield make


@pytest.fixture
def nobody() -> str:
    """An address at which nobody listens."""
    return "http://127.0.0.1:9"


def ask(upstream: Upstream, request: UpstreamRequest = READ) -> bytes:
    return upstream.send_request(request).read_whole(1000)


def answers_before_a_failure(upstream: Upstream) -> int:
    for count in range(1000):
        try:
            ask(upstream)
        except UpstreamUnavailable:
            return count
    raise AssertionError("no failure")


def hang_up(connection: socket.socket) -> None:
    """Close without an answer."""


def test_w65_a_write_that_reached_nobody_goes_to_another_replica(
    make_upstream: MakeUpstream, start_stub: Callable[..., Any], nobody: str
) -> None:
    stub = start_stub()
    upstream = make_upstream(nobody, stub)
    assert [ask(upstream, WRITE) for _ in range(5)] == [b"{}"] * 5
    assert stub.count("POST", "/x") == 5
    assert [replica.address for replica in upstream.replicas.ejected()] == [("127.0.0.1", 9)]


def test_w65_an_upload_that_reached_nobody_goes_whole_to_another_replica(
    make_upstream: MakeUpstream, start_stub: Callable[..., Any], nobody: str
) -> None:
    stub = start_stub()
    upstream = make_upstream(nobody, stub)
    for _ in range(5):
        assert ask(upstream, UpstreamRequest("PUT", "/x", [], Body(iter([b"hel", b"lo"]), 5))) == b"{}"
    assert [seen.body for seen in stub.requests] == [b"hello"] * 5


def test_w65_a_read_whose_new_connection_dies_is_sent_to_another_replica(
    make_upstream: MakeUpstream, start_stub: Callable[..., Any]
) -> None:
    stubs = [start_stub(), start_stub()]
    for stub in stubs:
        stub.on("GET", "/x", hang_up, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    upstream = make_upstream(*stubs)
    assert ask(upstream) == b"ok"
    assert sorted(stub.count("GET", "/x") for stub in stubs) == [1, 2]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_w65_no_other_request_is_repeated_on_a_new_connection(
    make_upstream: MakeUpstream, start_stub: Callable[..., Any], method: str
) -> None:
    stubs = [start_stub(), start_stub()]
    for stub in stubs:
        stub.on(method, "/x", hang_up)
    with pytest.raises(UpstreamUnavailable):
        ask(make_upstream(*stubs), UpstreamRequest(method, "/x", [], NO_BODY))
    assert sum(stub.count(method, "/x") for stub in stubs) == 1


def test_w65_a_read_is_sent_three_times_at_most(make_upstream: MakeUpstream, start_stub: Callable[..., Any]) -> None:
    stub = start_stub()
    stub.on("GET", "/x", hang_up)
    with pytest.raises((UpstreamUnavailable, DependencyUnavailable)):
        ask(make_upstream(stub))
    assert stub.count("GET", "/x") == 3


def test_w65_retries_are_a_small_part_of_the_requests(
    make_upstream: MakeUpstream, start_stub: Callable[..., Any], answering: Callable[..., bytes]
) -> None:
    stub = start_stub()
    stub.on("GET", "/x", *[hang_up, answering("200 OK", b"ok")] * 1000)
    upstream = make_upstream(stub)
    assert answers_before_a_failure(upstream) >= 30  # Each of them is sent twice.


def test_w64_a_service_that_comes_back_serves_again(
    make_upstream: MakeUpstream, start_stub: Callable[..., Any]
) -> None:
    stub = start_stub()
    upstream = make_upstream(stub)
    assert ask(upstream) == b"{}"
    stub.close()
    stub.break_connections()
    with pytest.raises(DependencyUnavailable) as refused:
        ask(upstream, WRITE)
    assert refused.value.retry_after_seconds == 2
    start_stub(stub.port)
    end = time.monotonic() + WAIT_SECONDS
    while upstream.replicas.ejected():
        assert time.monotonic() < end
        time.sleep(0.01)
    assert ask(upstream, WRITE) == b"{}"


def test_a_request_waits_for_a_service_that_restarts(
    make_upstream: MakeUpstream, start_stub: Callable[..., Any], nobody: str
) -> None:
    stub = start_stub()
    upstream = make_upstream(stub)
    stub.on("POST", "/x", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    replica = upstream.replicas.acquire()
    upstream.replicas.note_failure(replica, "refused", is_unreachable=True)
    upstream.replicas.release(replica, has_answered=False)
    assert ask(upstream, WRITE) == b"ok"  # The check of its health finds it again meanwhile.


def test_a_replica_that_answers_no_http_is_ejected_until_it_does(
    make_upstream: MakeUpstream, start_stub: Callable[..., Any]
) -> None:
    stub = start_stub()
    stub.on("GET", "/x", b"SSH-2.0-OpenSSH\r\n")
    stub.on("GET", "/healthz", b"SSH-2.0-OpenSSH\r\n")
    upstream = make_upstream(stub)
    for _ in range(3):
        with pytest.raises(UpstreamUnavailable):
            ask(upstream)
    with pytest.raises(DependencyUnavailable):
        ask(upstream)
    assert stub.count("GET", "/x") == 3
    stub.forget()
    end = time.monotonic() + WAIT_SECONDS
    while upstream.replicas.ejected():
        assert time.monotonic() < end
        time.sleep(0.01)
    assert ask(upstream) == b"{}"


def test_error_statuses_of_a_service_eject_nobody(make_upstream: MakeUpstream, start_stub: Callable[..., Any]) -> None:
    stub = start_stub()
    stub.on("GET", "/x", b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\naway")
    upstream = make_upstream(stub)
    assert [ask(upstream) for _ in range(10)] == [b"away"] * 10
    assert upstream.replicas.ejected() == []


def test_a_name_is_resolved_and_stays_the_host(make_upstream: MakeUpstream, start_stub: Callable[..., Any]) -> None:
    stub = start_stub()
    upstream = make_upstream(f"http://localhost:{stub.port}")
    assert ask(upstream) == b"{}"
    assert stub.last.values("Host") == [f"localhost:{stub.port}"]


def test_a_head_that_drips_ends_at_the_time_out(make_upstream: MakeUpstream, start_stub: Callable[..., Any]) -> None:
    def drip(connection: socket.socket) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 1000:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)

    stub = start_stub()
    stub.on("GET", "/x", drip)
    with pytest.raises(UpstreamTimeout):
        ask(make_upstream(stub, read_seconds=0.5))


def test_no_answer_leaves_a_replica_counted_as_busy(
    make_upstream: MakeUpstream, start_stub: Callable[..., Any]
) -> None:
    stub = start_stub()
    stub.on("GET", "/long", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
    upstream = make_upstream(stub, read_seconds=0.5)
    ask(upstream)
    upstream.send_request(UpstreamRequest("GET", "/long", [], NO_BODY)).close()
    with pytest.raises(UpstreamTimeout):
        ask(upstream, UpstreamRequest("GET", "/long", [], NO_BODY))
    replica = upstream.replicas.acquire()
    assert replica.outstanding == 1


def test_calls_of_the_gateways_own_go_to_the_replicas_too(
    make_upstream: MakeUpstream,
    start_stub: Callable[..., Any],
    answering_json: Callable[..., bytes],
    nobody: str,
) -> None:
    stub = start_stub()
    stub.on(
        "POST", "/a%2Fb", b'HTTP/1.1 201 CREATED\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{"a":1}'
    )
    upstream = make_upstream(nobody, stub)
    tokens = InternalTokens("k" * 32)
    client = ServiceClient(
        "http://news-service", name="news-service", own_name="gateway", tokens=tokens, adapter=UpstreamAdapter(upstream)
    )
    assert client.call("POST", "/a%2Fb", json={"text": "短信"}, params={"q": "a b"}) == {"a": 1}
    assert (stub.last.target, stub.last.body) == ("/a%2Fb?q=a+b", json.dumps({"text": "短信"}).encode())
    assert stub.last.values("Content-Length") == [str(len(stub.last.body))]
    assert len(stub.last.values("X-Internal-Token")) == 1


def test_calls_of_the_gateways_own_have_a_time_out_of_their_own(
    make_upstream: MakeUpstream, start_stub: Callable[..., Any]
) -> None:
    stub = start_stub()
    stub.on("GET", "/x", lambda connection: connection.recv(1))
    tokens = InternalTokens("k" * 32)
    adapter = UpstreamAdapter(make_upstream(stub))
    client = ServiceClient(
        "http://news-service",
        name="news-service",
        own_name="gateway",
        tokens=tokens,
        read_timeout_seconds=0.3,
        adapter=adapter,
    )
    begun = time.monotonic()
    with pytest.raises(UpstreamTimeout):
        client.request("GET", "/x")
    assert time.monotonic() - begun < 9
