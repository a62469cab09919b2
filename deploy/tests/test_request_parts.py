"""When a thread may have a request: every whole one at once, and no half one that could be whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving.request_parts import COLLECTED_BYTES, HEAD_BYTES, RequestParts

from chassis.web import MAX_BODY_BYTES

WHOLE = {
    "get": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "empty lines first": b"\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "length": b"POST / HTTP/1.1\r\nHost: x\r\ncontent-LENGTH:  5 \r\n\r\nhello",
    "no body": b"POST / HTTP/1.1\r\nContent-Length: 0\r\nHost: x\r\n\r\n",
    "chunks": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n"
    b"A\r\n\r\n0\r\n\r\n123\r\n0\r\n\r\n",
    "trailer": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n",
    "another coding": b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
}
REFUSED_AT_ONCE = {
    "a bare line feed": b"GET / HTTP/1.1\nHost: x\n",
    "two lengths": b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "a length that is none": b"POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\n",
    "length and chunks": b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "an unknown coding": b"POST / HTTP/1.1\r\nTransfer-Encoding: rot13\r\n\r\n",
    "a chunk size that is none": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\n",
    "an endless head": b"GET / HTTP/1.1\r\nX: " + b"a" * HEAD_BYTES,
    "an endless chunk line": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;" + b"a" * 400,
}


def parts_of(*pieces: bytes) -> RequestParts:
    parts = RequestParts()
    for piece in pieces:
        parts.add(piece)
    return parts


@pytest.mark.parametrize("name", WHOLE)
def test_a_request_is_whole_with_its_last_byte_and_not_before(name: str) -> None:
    request = WHOLE[name]
    for end in range(1, len(request)):
        assert not parts_of(request[:end]).is_whole, request[:end]
    assert parts_of(request).is_whole


@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_it_makes_no_difference_in_which_pieces_a_request_comes(name: str, data: st.DataObject) -> None:
    request = WHOLE[name]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(request) - 1))))
    parts = RequestParts()
    for start, end in zip([0, *cuts], [*cuts, len(request)], strict=True):
        assert not parts.is_whole
        parts.add(request[start:end])
    assert parts.is_whole
    assert bytes(parts.received) == request.lstrip(b"\r\n")


@pytest.mark.parametrize("name", REFUSED_AT_ONCE)
def test_what_the_parser_refuses_it_gets_at_once(name: str) -> None:
    assert parts_of(REFUSED_AT_ONCE[name]).is_whole


@given(st.binary(max_size=300))
def test_no_bytes_break_it(received: bytes) -> None:
    parts = RequestParts()
    for byte in received:
        parts.add(bytes([byte]))
        assert parts.is_whole in (True, False)
        assert not parts.is_large


def test_a_large_body_is_not_collected() -> None:
    head = b"PUT / HTTP/1.1\r\nContent-Length: %d\r\n\r\n"
    assert parts_of(head % (COLLECTED_BYTES + 1)).is_large
    assert not parts_of(head % COLLECTED_BYTES).is_large
    assert COLLECTED_BYTES == MAX_BODY_BYTES
    chunked = parts_of(b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFF\r\n", b"a" * (COLLECTED_BYTES + 1))
    assert (chunked.is_whole, chunked.is_large) == (True, True)


def test_an_expectation_is_met_once_and_the_parser_does_not_see_it() -> None:
    head = b"POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n"
    parts = parts_of(head)
    assert (parts.wants_continue, parts.is_whole) == (True, False)
    parts.add(b"hello")
    assert parts.is_whole
    assert bytes(parts.received) == b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"


@pytest.mark.parametrize("rest", [b"Content-Length: 5\r\n\r\nhello", b"Content-Length: 99000000\r\n\r\n"])
def test_an_expectation_is_left_to_the_parser_when_nothing_is_waited_for(rest: bytes) -> None:
    parts = parts_of(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\n" + rest)
    assert (parts.wants_continue, parts.is_whole) == (False, True)
    assert b"Expect" in parts.received
