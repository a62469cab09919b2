"""A body that fails is an error of its client, which every app answers, and ends the connection."""

from types import SimpleNamespace

import pytest
from gunicorn.http.body import ChunkedReader, LengthReader  # type: ignore[import-untyped]
from gunicorn.http.unreader import IterUnreader  # type: ignore[import-untyped]
from serving.messages import ClientBody

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
