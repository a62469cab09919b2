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


def environ_of(peer: str, **headers: str) -> dict[str, Any]:
    head = {"REQUEST_METHOD": "GET", "RAW_URI": "/", "HTTP_HOST": "h", "wsgi.url_scheme": "http"}
    return {**head, "REMOTE_ADDR": peer, **headers}
