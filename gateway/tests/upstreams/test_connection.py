"""What the traps cannot see from outside: what is written to a service, and when a connection may be used again."""

import socket
from collections.abc import Iterator

import pytest

from gateway.proxy.body import Body
from gateway.proxy.request import Headers
from gateway.upstreams.connection import ServiceConnection

NO_BODY = Body(b"", 0)


@pytest.fixture
def ends() -> Iterator[tuple[ServiceConnection, socket.socket]]:
    """A connection, and the service's end of it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        connection = ServiceConnection("127.0.0.1", server.getsockname()[1], connect_seconds=5, read_seconds=5)
        service, _ = server.accept()
        with service:
            yield connection, service
        connection.close()


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\rb"])
def test_no_header_with_a_line_end_is_sent(ends: tuple[ServiceConnection, socket.socket], value: str) -> None:
    connection, service = ends
    headers: Headers = [("X-Role", value)]
    with pytest.raises(ValueError, match="line end"):
        connection.send_request("GET", "/", headers, NO_BODY)
    connection.close()
    assert service.recv(100) == b""


@pytest.mark.parametrize(
    ("method", "body", "sent"),
    [
        ("GET", NO_BODY, b"GET /a%2fb?c HTTP/1.1\r\nHost: h\r\nX: caf\xe9\r\n\r\n"),
        ("POST", NO_BODY, b"POST /a%2fb?c HTTP/1.1\r\nHost: h\r\nX: caf\xe9\r\nContent-Length: 0\r\n\r\n"),
        (
            "DELETE",
            Body(b"hello", 5),
            b"DELETE /a%2fb?c HTTP/1.1\r\nHost: h\r\nX: caf\xe9\r\nContent-Length: 5\r\n\r\nhello",
        ),
        (
            "PUT",
            Body(iter([b"hel", b"lo"]), 5),
            b"PUT /a%2fb?c HTTP/1.1\r\nHost: h\r\nX: caf\xe9\r\nContent-Length: 5\r\n\r\nhello",
        ),
        (
            "PUT",
            Body(iter([b"hello", b"x" * 16]), None),
            b"PUT /a%2fb?c HTTP/1.1\r\nHost: h\r\nX: caf\xe9\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"5\r\nhello\r\n10\r\nxxxxxxxxxxxxxxxx\r\n0\r\n\r\n",
        ),
    ],
)
def test_a_request_is_written_byte_for_byte(
    ends: tuple[ServiceConnection, socket.socket], method: str, body: Body, sent: bytes
) -> None:
    connection, service = ends
    connection.send_request(method, "/a%2fb?c", [("Host", "h"), ("X", "caf\xe9")], body)
    connection.close()
    assert service.makefile("rb").read() == sent


@pytest.mark.parametrize(
    ("head", "has_clear_end"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", True),
        (b"HTTP/1.1 204\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x-a, Close\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\n\r\n", False),
    ],
)
def test_a_connection_is_used_again_if_the_answer_has_a_clear_end(
    ends: tuple[ServiceConnection, socket.socket], head: bytes, has_clear_end: bool
) -> None:
    connection, service = ends
    service.sendall(head)
    assert connection.read_head("GET").has_clear_end is has_clear_end


def test_a_connection_with_bytes_left_is_not_idle(ends: tuple[ServiceConnection, socket.socket]) -> None:
    connection, service = ends
    assert connection.is_idle
    service.sendall(b"HTTP/1.1 204 OK\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert list(connection.read_body(connection.read_head("GET"))) == []
    assert not connection.is_idle


def test_a_connection_that_the_service_closed_is_not_idle(ends: tuple[ServiceConnection, socket.socket]) -> None:
    connection, service = ends
    service.shutdown(socket.SHUT_WR)
    assert not connection.is_idle
