from typing import Any

import jwt
import pytest
from flask import Flask, g

from chassis.errors import InternalTokenRefused, Unauthenticated
from chassis.identity import Caller, InternalTokens, client_ip, current_user_id

KEY = "a key of this test, 32 bytes long"
NOW = 1_700_000_000
USER = Caller("gateway", user_id=7, session_id="s", roles=frozenset({"admin"}), auth_time=NOW - 5)


def tokens_at(moment: float) -> InternalTokens:
    return InternalTokens(KEY, clock=lambda: moment)


@pytest.mark.parametrize("caller", [USER, Caller("gateway"), Caller("sms-service")])
def test_a_token_gives_back_who_calls(caller: Caller) -> None:
    assert tokens_at(NOW).read_token(tokens_at(NOW).write_token(caller, audience="shop"), audience="shop") == caller


def test_a_user_without_a_role_or_login_time_survives() -> None:
    caller = Caller("gateway", user_id=7, session_id="s")
    assert tokens_at(NOW).read_token(tokens_at(NOW).write_token(caller, audience="shop"), audience="shop") == caller


@pytest.mark.parametrize(
    ("age", "good"), [(0, True), (59, True), (330, True), (331, False), (-300, True), (-301, False)]
)
def test_a_token_is_used_for_thirty_seconds_and_clocks_may_differ_by_five_minutes(age: int, good: bool) -> None:
    token = tokens_at(NOW).write_token(USER, audience="shop")
    reader = tokens_at(NOW + age)
    if good:
        assert reader.read_token(token, audience="shop") == USER
    else:
        with pytest.raises(InternalTokenRefused):
            reader.read_token(token, audience="shop")


def test_a_token_that_was_read_before_still_ends_and_serves_its_audience_alone() -> None:
    now = float(NOW)
    tokens = InternalTokens(KEY, clock=lambda: now)
    token = tokens.write_token(USER, audience="shop")
    assert [tokens.read_token(token, audience="shop") for _ in range(2)] == [USER, USER]
    with pytest.raises(InternalTokenRefused):
        tokens.read_token(token, audience="bank")
    now += 331
    with pytest.raises(InternalTokenRefused):
        tokens.read_token(token, audience="shop")


@pytest.mark.parametrize("moment", [0, 4_000_000_000])
def test_only_the_clock_that_was_given_counts(moment: int) -> None:
    tokens = tokens_at(moment)
    assert tokens.read_token(tokens.write_token(USER, audience="shop"), audience="shop") == USER


TYPE = {"typ": "internal+jwt"}
CLAIMS: dict[str, Any] = {"iss": "gateway", "aud": "shop", "sub": "gateway", "iat": NOW, "exp": NOW + 60}


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "a.b.c",
        "é",
        jwt.encode(CLAIMS, "another key of this test, 32 bytes", headers=TYPE),
        jwt.encode(CLAIMS, KEY + "0" * 32, algorithm="HS512", headers=TYPE),
        jwt.encode(CLAIMS, "", algorithm="none", headers=TYPE),
        jwt.encode(CLAIMS, KEY),
        jwt.encode(CLAIMS, KEY, headers={"typ": "at+jwt"}),
        jwt.encode({**CLAIMS, "aud": "bank"}, KEY, headers=TYPE),
        jwt.encode({**CLAIMS, "exp": NOW + 3600}, KEY, headers=TYPE),
        jwt.encode({**CLAIMS, "exp": NOW - 271}, KEY, headers=TYPE),
        *(
            jwt.encode({name: value for name, value in CLAIMS.items() if name != left}, KEY, headers=TYPE)
            for left in CLAIMS
        ),
    ],
)
def test_a_token_that_is_not_ours_is_refused(token: str) -> None:
    with pytest.raises(InternalTokenRefused):
        tokens_at(NOW).read_token(token, audience="shop")


def test_the_claims_of_that_test_are_good_as_they_are() -> None:
    assert tokens_at(NOW).read_token(jwt.encode(CLAIMS, KEY, headers=TYPE), audience="shop") == Caller("gateway")


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        InternalTokens("k" * 31)
    assert InternalTokens("k" * 32).write_token(USER, audience="shop")


def test_nobody_signed_in_is_an_error_of_the_user() -> None:
    with Flask("x").test_request_context():
        g.caller = Caller("gateway")
        with pytest.raises(Unauthenticated):
            current_user_id()


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [("203.0.113.9", "203.0.113.9"), ("198.51.100.1, 203.0.113.9", "203.0.113.9"), ("2001:db8::1", "2001:db8::1")],
)
def test_the_client_is_the_one_the_gateway_saw(forwarded: str, address: str) -> None:
    with Flask("x").test_request_context(headers={"X-Forwarded-For": forwarded}):
        assert client_ip() == address


def test_without_a_gateway_the_client_is_the_peer() -> None:
    with Flask("x").test_request_context(environ_base={"REMOTE_ADDR": "192.0.2.1"}):
        assert client_ip() == "192.0.2.1"
