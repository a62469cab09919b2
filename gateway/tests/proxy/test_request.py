from io import BytesIO
from typing import Any

import pytest

from chassis.errors import BodyTooLarge, HeadersTooLarge, NotFound, RequestRefused, RequestTimeout
from chassis.web import MAX_BODY_BYTES
from gateway.proxy.body import SMALL_BYTES, Body, read_body
from gateway.proxy.forwarded import TrustedProxies
from gateway.proxy.request import ProxyRequest, read_origin, read_request

UPLOAD_CAP = 5 * MAX_BODY_BYTES


@pytest.mark.parametrize(
    "host",
    ["h", "shop.example:80", "shop.example:", "127.0.0.1:8000", "[::1]", "[2001:db8::1]:8000", "[::ffff:1.2.3.4]"],
)
def test_a_host_may_have_a_port(host: str) -> None:
    assert read(environ_of("9.9.9.9", HTTP_HOST=host)).client.host == host


@pytest.mark.parametrize(
    "host", ["", "h ", "h\n", "h:x", "h:123456", "::1", "[]", "[::1", "[::1 ]", "[ ::1]", "[::1]x", "[h]", "h[::1]"]
)
def test_a_malformed_host_is_refused(host: str) -> None:
    with pytest.raises(RequestRefused):
        read(environ_of("9.9.9.9", HTTP_HOST=host))


@pytest.mark.parametrize(
    ("raw", "host", "forwarded"),
    [
        ("http://news.example.com/a?b=c", "news.example.com", "/a?b=c"),
        ("HTTP://News.Example.com:80/a", "news.example.com", "/a"),
        ("https://news.example.com/a", "news.example.com:443", "/a"),
        ("http://[2001:db8::1]:8000/a", "[2001:db8::1]:8000", "/a"),
        ("http://news.example.com", "news.example.com", "/"),
        ("http://news.example.com?a=b", "news.example.com", "/?a=b"),
    ],
)
def test_a_target_may_be_a_whole_address_of_ours(raw: str, host: str, forwarded: str) -> None:
    assert read(environ_of("9.9.9.9", HTTP_HOST=host, RAW_URI=raw)).target.raw == forwarded


@pytest.mark.parametrize(
    "raw",
    [
        "http://evil.example/a",
        "http://news.example.com:8080/a",
        "http://news.example.com@evil.example/a",
        "http://user@news.example.com/a",
        "http://news.example.com#/a",
        "http:///a",
        "http://news.example.com:x/a",
        "ftp://news.example.com/a",
        "news.example.com/a",
        "http://news.example.com/../a",
    ],
)
def test_a_whole_address_of_another_kind_or_host_is_refused(raw: str) -> None:
    with pytest.raises(RequestRefused):
        read(environ_of("9.9.9.9", HTTP_HOST="news.example.com", RAW_URI=raw))


def test_a_whole_address_leads_to_nothing_internal() -> None:
    with pytest.raises(NotFound):
        read(environ_of("9.9.9.9", HTTP_HOST="h", RAW_URI="http://h/%69nternal/openapi.json"))


def test_a_header_that_no_service_would_read_is_refused() -> None:
    read(environ_of("9.9.9.9", HTTP_X_TWICE="a" * 8190))
    with pytest.raises(HeadersTooLarge):
        read(environ_of("9.9.9.9", HTTP_X_TWICE="a" * 8191))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://h", "http://h:80"),
        ("https://h:443", "HTTPS://H"),
        ("http://h:", "http://h/path?query"),
        ("http://[::1]:80", "http://[::1]"),
    ],
)
def test_the_port_of_the_scheme_is_no_port(one: str, other: str) -> None:
    assert read_origin(one) == read_origin(other) is not None


@pytest.mark.parametrize("other", ["http://h:443", "https://h:80", "https://h", "http://h:8000", "http://h.example"])
def test_another_port_scheme_or_host_is_another_origin(other: str) -> None:
    assert read_origin(other) not in (None, read_origin("http://h"))


@pytest.mark.parametrize(
    "text", ["", "null", "h", "h:80", "about:blank", "http://", "http://h:x", "http://[h", "http://u@h"]
)
def test_what_is_no_origin_is_none(text: str) -> None:
    assert read_origin(text) is None


@pytest.mark.parametrize("length", [0, 1, SMALL_BYTES, MAX_BODY_BYTES])
@pytest.mark.parametrize("is_declared", [True, False])
def test_a_body_is_read_whole_before_a_service_hears_of_it(length: int, is_declared: bool) -> None:
    headers = {"CONTENT_LENGTH": str(length)} if is_declared else {"HTTP_TRANSFER_ENCODING": "chunked"}
    body = read_body(body_of(b"x" * length, **headers), cap_bytes=MAX_BODY_BYTES)
    assert (body.chunks, body.length, body.is_empty) == (b"x" * length, length, length == 0)


def test_an_upload_comes_in_steps() -> None:
    sent = b"x" * (2 * SMALL_BYTES + 1)
    body = read_body(body_of(sent, CONTENT_LENGTH=str(len(sent))), cap_bytes=UPLOAD_CAP)
    assert not isinstance(body.chunks, bytes)
    assert [len(chunk) for chunk in body.chunks] == [SMALL_BYTES, SMALL_BYTES, 1]
    assert body.length == len(sent)


@pytest.mark.parametrize("length", [5, SMALL_BYTES + 1])
def test_a_body_ends_at_its_declared_length(length: int) -> None:
    environ = body_of(b"x" * length + b"GET / HTTP/1.1", CONTENT_LENGTH=str(length))
    body = read_body(environ, cap_bytes=UPLOAD_CAP)
    assert whole(body) == b"x" * length
    assert environ["wsgi.input"].read() == b"GET / HTTP/1.1"


def test_a_body_without_a_declared_length_ends_with_the_stream() -> None:
    sent = b"x" * (SMALL_BYTES + 1)
    body = read_body(body_of(sent, HTTP_TRANSFER_ENCODING="chunked"), cap_bytes=UPLOAD_CAP)
    assert (whole(body), body.length) == (sent, None)


@pytest.mark.parametrize("cap_bytes", [MAX_BODY_BYTES, UPLOAD_CAP])
def test_a_body_that_comes_too_slowly_is_a_time_out(cap_bytes: int) -> None:
    class Slow(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() >= 2 * SMALL_BYTES:
                raise TimeoutError
            return super().read(SMALL_BYTES)

    environ = {"wsgi.input": Slow(b"x" * MAX_BODY_BYTES), "CONTENT_LENGTH": str(MAX_BODY_BYTES)}
    with pytest.raises(RequestTimeout):
        whole(read_body(environ, cap_bytes=cap_bytes))


@pytest.mark.parametrize("length", [5, 2 * SMALL_BYTES])
def test_a_body_shorter_than_declared_is_refused(length: int) -> None:
    environ = body_of(b"x" * (length - 1), CONTENT_LENGTH=str(length))
    with pytest.raises(RequestRefused):
        whole(read_body(environ, cap_bytes=UPLOAD_CAP))


@pytest.mark.parametrize("cap_bytes", [SMALL_BYTES + 1, UPLOAD_CAP])
@pytest.mark.parametrize("is_declared", [True, False])
def test_a_body_over_the_cap_is_refused(cap_bytes: int, is_declared: bool) -> None:
    headers = {"CONTENT_LENGTH": str(cap_bytes + 1)} if is_declared else {"HTTP_TRANSFER_ENCODING": "chunked"}
    with pytest.raises(BodyTooLarge):
        whole(read_body(body_of(b"x" * (cap_bytes + 1), **headers), cap_bytes=cap_bytes))


@pytest.mark.parametrize("length", ["-1", "+5", " 5", "5,5", "0x5", "5.0", "\u0665"])
def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    with pytest.raises(RequestRefused):
        read_body(body_of(b"hello", CONTENT_LENGTH=length), cap_bytes=SMALL_BYTES)


def body_of(sent: bytes, **headers: str) -> dict[str, Any]:
    return {"wsgi.input": BytesIO(sent), **headers}


def whole(body: Body) -> bytes:
    return body.chunks if isinstance(body.chunks, bytes) else b"".join(body.chunks)


def read(environ: dict[str, Any]) -> ProxyRequest:
    return read_request(environ, TrustedProxies().read_client(environ))


def environ_of(peer: str, **headers: str) -> dict[str, Any]:
    head = {"REQUEST_METHOD": "GET", "RAW_URI": "/", "HTTP_HOST": "h", "wsgi.url_scheme": "http"}
    return {**head, "REMOTE_ADDR": peer, **headers}
