"""The session's cookies among the others of a Cookie header."""

import pytest

from gateway.cookies import CookieSession, SessionCookies

COOKIES = SessionCookies(is_secure=True, session_days=30)


@pytest.mark.parametrize(
    ("header", "access", "refresh"),
    [
        ("", "", ""),
        ("__Host-at=a; __Host-rt=r", "a", "r"),
        ("theme=dark;__Host-rt=r=1==;  __Host-at=a", "a", "r=1=="),
        ("at=a; rt=r; __host-at=a; X__Host-rt=r", "", ""),
        ("__Host-at; __Host-rt=", "", ""),
        ("__Host-at=first; __Host-at=second", "first", ""),
    ],
)
def test_a_session_is_found_by_its_exact_names(header: str, access: str, refresh: str) -> None:
    assert COOKIES.read_session(header) == CookieSession(access, refresh)


@pytest.mark.parametrize(
    ("header", "is_present"), [("__Host-at=a", True), ("__Host-rt=r", True), ("theme=dark", False)]
)
def test_one_of_both_cookies_is_a_session(header: str, is_present: bool) -> None:
    assert COOKIES.read_session(header).is_present is is_present


@pytest.mark.parametrize(
    ("header", "others"),
    [
        ("", ""),
        ("__Host-at=a; __Host-rt=r", ""),
        ("a=1;__Host-at=a; b=2 ;; __Host-rt=r;c", "a=1; b=2; c"),
        ("__Host-at=first; __Host-at=second; __Host-rt", ""),
        ("at=a; __Host-attic=x", "at=a; __Host-attic=x"),
    ],
)
def test_the_other_cookies_stay_in_their_order(header: str, others: str) -> None:
    assert COOKIES.without_session(header) == others


def test_without_https_the_cookies_carry_no_prefix() -> None:
    cookies = SessionCookies(is_secure=False, session_days=1)
    assert cookies.read_session("at=a; rt=r; __Host-at=x") == CookieSession("a", "r")
    assert cookies.clear_session() == [
        "at=; Max-Age=0; HttpOnly; Path=/; SameSite=Lax",
        "rt=; Max-Age=0; HttpOnly; Path=/; SameSite=Lax",
    ]
