from io import BytesIO
from ipaddress import ip_network
from typing import Any

import pytest

from chassis.errors import BodyTooLarge, RequestRefused
from gateway.proxy_request import SMALL_BYTES, Body, RequestReader, read_body


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("9.9.9.9", "6.6.6.6", "9.9.9.9"),
        ("10.0.0.1", "6.6.6.6", "6.6.6.6"),
        ("10.0.0.1", "1.1.1.1, 6.6.6.6", "6.6.6.6"),
        ("10.0.0.1", "1.1.1.1, 6.6.6.6, 10.0.0.2", "6.6.6.6"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
    ],
)
def test_w04_only_our_proxies_say_who_the_client_is(peer: str, forwarded: str, expected: str) -> None:
    environ = environ_of(peer, HTTP_X_FORWARDED_FOR=forwarded, HTTP_X_FORWARDED_PROTO="https")
    request = RequestReader((ip_network("10.0.0.0/8"),)).read_request(environ)
    assert request.client_ip == expected
    assert request.scheme == ("https" if peer == "10.0.0.1" else "http")


def test_a_proxy_that_names_no_address_is_refused() -> None:
    with pytest.raises(RequestRefused):
        RequestReader((ip_network("10.0.0.0/8"),)).read_request(
            environ_of("10.0.0.1", HTTP_X_FORWARDED_FOR="6.6.6.6, unknown")
        )


@pytest.mark.parametrize(
    "host",
    ["h", "shop.example:80", "shop.example:", "127.0.0.1:8000", "[::1]", "[2001:db8::1]:8000", "[::ffff:1.2.3.4]"],
)
def test_a_host_may_have_a_port(host: str) -> None:
    assert RequestReader().read_request(environ_of("9.9.9.9", HTTP_HOST=host)).host == host


@pytest.mark.parametrize(
    "host", ["", "h ", "h\n", "h:x", "h:123456", "::1", "[]", "[::1", "[::1 ]", "[ ::1]", "[::1]x", "[h]", "h[::1]"]
)
def test_a_malformed_host_is_refused(host: str) -> None:
    with pytest.raises(RequestRefused):
        RequestReader().read_request(environ_of("9.9.9.9", HTTP_HOST=host))


@pytest.mark.parametrize("length", [0, 1, SMALL_BYTES - 1, SMALL_BYTES])
def test_a_small_body_is_read_whole(length: int) -> None:
    body = read_body(body_of(b"x" * length, CONTENT_LENGTH=str(length)), cap_bytes=SMALL_BYTES)
    assert (body.chunks, body.length, body.is_empty) == (b"x" * length, length, length == 0)


def test_a_larger_body_comes_in_steps() -> None:
    sent = b"x" * (2 * SMALL_BYTES + 1)
    body = read_body(body_of(sent, CONTENT_LENGTH=str(len(sent))), cap_bytes=len(sent))
    assert not isinstance(body.chunks, bytes)
    assert [len(chunk) for chunk in body.chunks] == [SMALL_BYTES, SMALL_BYTES, 1]
    assert body.length == len(sent)


@pytest.mark.parametrize("length", [5, SMALL_BYTES + 1])
def test_a_body_ends_at_its_declared_length(length: int) -> None:
    environ = body_of(b"x" * length + b"GET / HTTP/1.1", CONTENT_LENGTH=str(length))
    body = read_body(environ, cap_bytes=10 * SMALL_BYTES)
    assert whole(body) == b"x" * length
    assert environ["wsgi.input"].read() == b"GET / HTTP/1.1"


def test_a_body_without_a_declared_length_ends_with_the_stream() -> None:
    sent = b"x" * (SMALL_BYTES + 1)
    body = read_body(body_of(sent, HTTP_TRANSFER_ENCODING="chunked"), cap_bytes=len(sent))
    assert (whole(body), body.length) == (sent, None)


@pytest.mark.parametrize("length", [5, 2 * SMALL_BYTES])
def test_a_body_shorter_than_declared_is_refused(length: int) -> None:
    environ = body_of(b"x" * (length - 1), CONTENT_LENGTH=str(length))
    with pytest.raises(RequestRefused):
        whole(read_body(environ, cap_bytes=length))


@pytest.mark.parametrize(
    "headers", [{"CONTENT_LENGTH": str(SMALL_BYTES + 2)}, {"HTTP_TRANSFER_ENCODING": "chunked"}], ids=str
)
def test_a_body_over_the_cap_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(BodyTooLarge):
        whole(read_body(body_of(b"x" * (SMALL_BYTES + 2), **headers), cap_bytes=SMALL_BYTES + 1))


@pytest.mark.parametrize("length", ["-1", "+5", " 5", "5,5", "0x5", "5.0", "\u0665"])
def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    with pytest.raises(RequestRefused):
        read_body(body_of(b"hello", CONTENT_LENGTH=length), cap_bytes=SMALL_BYTES)


def body_of(sent: bytes, **headers: str) -> dict[str, Any]:
    return {"wsgi.input": BytesIO(sent), **headers}


def whole(body: Body) -> bytes:
    return body.chunks if isinstance(body.chunks, bytes) else b"".join(body.chunks)


def environ_of(peer: str, **headers: str) -> dict[str, Any]:
    head = {"REQUEST_METHOD": "GET", "RAW_URI": "/", "HTTP_HOST": "h", "wsgi.url_scheme": "http"}
    return {**head, "REMOTE_ADDR": peer, **headers}
