"""What the headers of a browser say about the page that sends a request."""

from collections.abc import Callable

import pytest

from chassis.errors import CrossSiteRefused
from gateway.auth.csrf import SameSite
from gateway.proxy.request import ProxyRequest

MakeRequest = Callable[..., ProxyRequest]
OWN_PAGE, OTHER_PAGE = "http://shop.example/login", "https://evil.example/login"
SAME_SITE = SameSite(("https://app.example.com",))


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="no-browser"),
        {"Referer": OWN_PAGE},
        {"Referer": "HTTP://Shop.Example/"},
        {"Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "none"},
        {"Origin": "http://shop.example"},
        {"Origin": "HTTP://SHOP.example", "Sec_Fetch_Site": "cross-site", "Referer": OTHER_PAGE},
        {"Origin": "https://app.example.com", "Sec_Fetch_Site": "cross-site"},
        {"Origin": "https://app.example.com:443"},
        {"Origin": "http://shop.example:80"},
        {"Host": "shop.example:80", "Origin": "http://shop.example"},
        {"Host": "shop.example:80", "Referer": OWN_PAGE},
        {"Referer": "http://shop.example:80/login"},
    ],
    ids=str,
)
def test_a_request_that_no_other_site_sent_passes(make_request: MakeRequest, headers: dict[str, str]) -> None:
    SAME_SITE.refuse_other_sites(make_request("POST", **headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "cross-site", "Referer": OWN_PAGE},
        {"Sec_Fetch_Site": "same-site", "Referer": OWN_PAGE},
        {"Origin": "https://evil.example"},
        {"Origin": "https://evil.example", "Referer": OWN_PAGE},
        {"Origin": "null", "Referer": OWN_PAGE},
        {"Origin": "http://shop.example:443"},
        {"Host": "shop.example:443", "Origin": "http://shop.example"},
        {"X_Forwarded_Host": "evil.example", "Origin": "http://evil.example"},
        {"Referer": OTHER_PAGE},
        {"Referer": "https://shop.example/login"},
        {"Referer": "http://shop.example:8080/login"},
        {"Referer": "http://shop.example.evil.example/login"},
        {"Referer": "http://shop.example@evil.example/login"},
        {"Referer": "about:blank"},
        {"Referer": "http://[shop.example/login"},
    ],
    ids=str,
)
def test_a_request_of_another_site_is_refused(make_request: MakeRequest, headers: dict[str, str]) -> None:
    with pytest.raises(CrossSiteRefused):
        SAME_SITE.refuse_other_sites(make_request("POST", **headers))


@pytest.mark.parametrize("headers", [{}, {"Referer": OWN_PAGE}, {"Sec_Fetch_Site": "none"}], ids=str)
def test_a_session_in_cookies_needs_more_than_a_referer(make_request: MakeRequest, headers: dict[str, str]) -> None:
    with pytest.raises(CrossSiteRefused):
        SAME_SITE.require(make_request("POST", **headers))
