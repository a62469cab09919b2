"""Requests as an app sees them, and responses as they are sent.

A body that fails is an error of its client, which every app answers, and ends the connection.
"""

import socket
import threading
from types import SimpleNamespace

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]
from gunicorn.http.body import ChunkedReader, LengthReader  # type: ignore[import-untyped]
from gunicorn.http.unreader import IterUnreader  # type: ignore[import-untyped]
from serving.client_socket import ClientSocket
from serving.messages import HEADER_LINES, ClientBody, Response, make_environ

from chassis.errors import RequestRefused, RequestTimeout


def declared(length: int, *pieces: bytes) -> ClientBody:
    return ClientBody(LengthReader(IterUnreader(iter(pieces)), length))


def chunked(*pieces: bytes) -> ClientBody:
    return ClientBody(ChunkedReader(SimpleNamespace(), IterUnreader(iter(pieces))))


@pytest.mark.parametrize(
    "body",
    [
        declared(5, b"hel"),
        declared(5),
        declared(5000, b"a" * 2000, b"b" * 2000),
        chunked(b"5\r\nhel"),
        chunked(b"5\r\nhello\r\n"),
        chunked(b"5\r\nhello\r\nzz\r\n"),
        chunked(b"0x5\r\nhello\r\n0\r\n\r\n"),
        chunked(),
    ],
)
def test_a_body_that_breaks_off_or_is_malformed_is_refused(body: ClientBody) -> None:
    with pytest.raises(RequestRefused):
        body.read()
    assert body.failed


def test_a_body_that_comes_too_slowly_is_a_time_out() -> None:
    def silence(_size: int) -> bytes:
        raise TimeoutError

    body = ClientBody(SimpleNamespace(read=silence))
    with pytest.raises(RequestTimeout):
        body.readline()
    assert body.failed


@pytest.mark.parametrize("step", [1, 3, 1024, None])
def test_a_whole_body_is_read_in_steps_of_any_size(step: int | None) -> None:
    for body in (declared(11, b"hello", b" world"), chunked(b"5\r\nhello\r\n6\r\n world\r\n", b"0\r\n\r\n")):
        parts = []
        while part := body.read(step):
            parts.append(part)
        assert b"".join(parts) == b"hello world"
        assert not body.failed


def test_a_head_and_a_short_body_are_sent_by_one_call() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # It keeps calls apart.
    with ClientSocket(ours, threading.Semaphore()) as client, theirs:
        request = SimpleNamespace(method="GET", version=(1, 1), should_close=bool, body=declared(0))
        response = Response(request, client, None)
        response.start_response("200 OK", [("Content-Length", "5")])
        response.write(b"hello")
        response.close()
        head, _, body = theirs.recv(4096).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\nDate: ")
    assert body == b"hello"


def test_a_head_without_a_body_is_sent_at_the_end() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ClientSocket(ours, threading.Semaphore()) as client, theirs:
        request = SimpleNamespace(method="GET", version=(1, 1), should_close=bool, body=declared(0))
        response = Response(request, client, None)
        response.start_response("204 No Content", [])
        response.close()
        assert theirs.recv(4096).endswith(b"\r\nConnection: keep-alive\r\n\r\n")


def test_lines_of_one_name_become_one_entry_of_the_environ() -> None:
    lines = [("COOKIE", "a=1"), ("ACCEPT", "text/html"), ("COOKIE", "b=2"), ("ACCEPT", "*/*"), ("CONTENT-TYPE", "x/y")]
    request = SimpleNamespace(
        method="GET", version=(1, 1), body=None, query="q", uri="/%C3%A9?q", path="/%C3%A9", headers=lines
    )
    environ = make_environ(request, ("192.0.2.1", 1), ("192.0.2.2", 80), Config())
    assert (environ["HTTP_COOKIE"], environ["HTTP_ACCEPT"], environ["CONTENT_TYPE"]) == (
        "a=1; b=2",
        "text/html,*/*",
        "x/y",
    )
    assert (environ["PATH_INFO"], environ["RAW_URI"]) == ("/Ã©", "/%C3%A9?q")
    assert environ[HEADER_LINES] == lines
