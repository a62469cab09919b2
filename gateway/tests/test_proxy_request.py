from ipaddress import ip_network
from typing import Any

import pytest

from chassis.errors import RequestRefused
from gateway.proxy_request import RequestReader


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
def test_w10_a_host_may_have_a_port(host: str) -> None:
    assert RequestReader().read_request(environ_of("9.9.9.9", HTTP_HOST=host)).host == host


@pytest.mark.parametrize(
    "host", ["", "h ", "h\n", "h:x", "h:123456", "::1", "[]", "[::1", "[::1 ]", "[ ::1]", "[::1]x", "[h]", "h[::1]"]
)
def test_w10_another_host_is_refused(host: str) -> None:
    with pytest.raises(RequestRefused):
        RequestReader().read_request(environ_of("9.9.9.9", HTTP_HOST=host))


def environ_of(peer: str, **headers: str) -> dict[str, Any]:
    head = {"REQUEST_METHOD": "GET", "RAW_URI": "/", "HTTP_HOST": "h", "wsgi.url_scheme": "http"}
    return {**head, "REMOTE_ADDR": peer, **headers}
