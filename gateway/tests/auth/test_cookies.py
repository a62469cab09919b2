"""The session's cookies among the others of a Cookie header."""

import pytest

from gateway.auth.cookies import CookieSession, SessionCookies, Tokens
from gateway.proxy.forwarded import Client
from gateway.proxy.request import ProxyRequest, Target

COOKIES = SessionCookies(is_secure=True, session_days=30)


@pytest.mark.parametrize(
    ("header", "access", "refresh"),
    [
        ("", "", ""),
        ("__Host-xinjing_at=a; __Host-xinjing_rt=r", "a", "r"),
        ("theme=dark;__Host-xinjing_rt=r=1==;  __Host-xinjing_at=a", "a", "r=1=="),
        ("xinjing_at=a; xinjing_rt=r; __host-xinjing_at=a; X__Host-xinjing_rt=r", "", ""),
        ("at=another-program's; rt=another-program's; __Host-rt=another-program's", "", ""),
        ("__Host-xinjing_at; __Host-xinjing_rt=", "", ""),
        ("__Host-xinjing_at=first; __Host-xinjing_at=second", "first", ""),
    ],
)
def test_a_session_is_found_by_its_exact_names(header: str, access: str, refresh: str) -> None:
    assert COOKIES.read_session(header) == CookieSession(access, refresh)


@pytest.mark.parametrize(
    ("header", "is_present"), [("__Host-xinjing_at=a", True), ("__Host-xinjing_rt=r", True), ("theme=dark", False)]
)
def test_one_of_both_cookies_is_a_session(header: str, is_present: bool) -> None:
    assert COOKIES.read_session(header).is_present is is_present


@pytest.mark.parametrize(
    ("header", "others"),
    [
        ("", ""),
        ("__Host-xinjing_at=a; __Host-xinjing_rt=r", ""),
        ("a=1;__Host-xinjing_at=a; b=2 ;; __Host-xinjing_rt=r;c", "a=1; b=2; c"),
        ("__Host-xinjing_at=first; __Host-xinjing_at=second; __Host-xinjing_rt", ""),
        ("at=a; rt=r; __Host-xinjing_attic=x", "at=a; rt=r; __Host-xinjing_attic=x"),
    ],
)
def test_the_other_cookies_stay_in_their_order(header: str, others: str) -> None:
    assert COOKIES.without_session(header) == others


@pytest.mark.parametrize(
    ("set_cookie", "is_of_session"),
    [
        ("__Host-xinjing_at=x; Path=/", True),
        ("__Host-xinjing_rt=; Max-Age=0", True),
        ("__Host-xinjing_at", True),
        (" \t__Host-xinjing_at\t = x", True),
        ("=__Host-xinjing_at=x", True),
        ("= __Host-xinjing_at =x", True),
        ("cart=9; __Host-xinjing_at=x", False),
        ("cart=__Host-xinjing_at=x", False),
        ("__Host-xinjing_attic=x", False),
        ("; __Host-xinjing_at=x", False),
        ("", False),
    ],
)
def test_a_cookie_is_told_as_browsers_would_send_it(set_cookie: str, is_of_session: bool) -> None:
    assert COOKIES.is_of_session(set_cookie) is is_of_session


OLD_TOKEN = "0" * 32 + ".12." + "A" * 43


def request_with(cookie: str) -> ProxyRequest:
    environ = {"HTTP_COOKIE": cookie}
    return ProxyRequest(environ, "GET", Target("/", "/"), Client("203.0.113.9", "https", "news.example.com"))


def test_without_https_the_cookies_carry_no_prefix() -> None:
    cookies = SessionCookies(is_secure=False, session_days=1)
    assert cookies.read_session("xinjing_at=a; xinjing_rt=r; __Host-xinjing_at=x") == CookieSession("a", "r")
    assert cookies.clear_session(request_with("at=theirs; rt=theirs; xinjing_rt=r")) == [
        "xinjing_at=; Max-Age=0; HttpOnly; Path=/; SameSite=Lax",
        "xinjing_rt=; Max-Age=0; HttpOnly; Path=/; SameSite=Lax",
    ]


def test_a_session_under_the_old_names_goes_on_by_its_refresh_token_and_is_renamed() -> None:
    header = f"__Host-at=x.y.z; __Host-rt={OLD_TOKEN}; theme=dark"
    assert COOKIES.read_session(header) == CookieSession("", OLD_TOKEN, is_old=True)
    assert COOKIES.without_session(header) == "__Host-at=x.y.z; theme=dark"
    tokens = Tokens(access_token="a.b.c", refresh_token="r", expires_in=600)
    names = [value.partition("=")[0] for value in COOKIES.write_session(tokens, request_with(header))]
    assert names == ["__Host-xinjing_at", "__Host-xinjing_rt", "__Host-rt"]
    assert COOKIES.clear_session(request_with(header))[-1].startswith("__Host-rt=; Max-Age=0;")


def test_the_new_names_win_over_the_old_ones() -> None:
    header = f"__Host-rt={OLD_TOKEN}; __Host-xinjing_rt=r"
    assert COOKIES.read_session(header) == CookieSession("", "r")
