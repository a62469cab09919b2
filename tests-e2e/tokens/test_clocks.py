"""Clocks that are apart, and a phone that asks again later, end no session."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from stage.accounts import Accounts, Process
from stage.client import ME, PASSWORD

Get = Callable[..., Any]
BROWSER = {"Sec-Fetch-Site": "same-origin"}
CLOCKS = BEHIND, AHEAD, FAR_BEHIND = -50, 50, -90
LATER_SECONDS = 300


@pytest.fixture(scope="module")
def shifted(accounts: Accounts) -> dict[int, Process]:
    """Gateways by the seconds that their clocks are ahead of user-service's."""
    with ThreadPoolExecutor() as pool:
        started = pool.map(lambda seconds: accounts.start_gateway(clock_ahead_seconds=seconds), CLOCKS)
        return dict(zip(CLOCKS, started, strict=True))


@pytest.fixture(scope="module")
def later(accounts: Accounts) -> Process:
    """A gateway in front of a user-service some minutes later, on the same data."""
    user_service = accounts.start_user_service(clock_ahead_seconds=LATER_SECONDS)
    return accounts.start_gateway(clock_ahead_seconds=LATER_SECONDS, user_service=user_service)


def cookies_of(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Cookie": f"xinjing_at={tokens['access_token']}; xinjing_rt={tokens['refresh_token']}"}


@pytest.mark.parametrize("ahead_seconds", [BEHIND, AHEAD])
def test_a_gateway_whose_clock_is_a_little_wrong_signs_people_in_and_keeps_them(
    shifted: dict[int, Process], ask: Get, register: Get, ahead_seconds: int
) -> None:
    gateway, body = shifted[ahead_seconds], {"mobile": register().mobile, "password": PASSWORD}
    entered = ask(gateway, "POST", "/api/v1/sessions", json=body, headers=BROWSER)
    assert (entered.status_code, len(entered.cookies)) == (201, 2)
    for credentials in ({"headers": cookies_of(entered.json())}, {"token": entered.json()["access_token"]}):
        answer = ask(gateway, "GET", ME, **credentials)
        assert (answer.status_code, "Set-Cookie" in answer.headers) == (200, False)
    assert "remarks" not in ask(gateway, "GET", "/readyz").json()


def test_a_gateway_whose_clock_is_far_behind_refuses_the_token_clears_nothing_and_says_why(
    shifted: dict[int, Process], accounts: Accounts, ask: Get, register: Get
) -> None:
    gateway, tokens = shifted[FAR_BEHIND], register().tokens
    for credentials in ({"headers": cookies_of(tokens)}, {"token": tokens["access_token"]}):
        answer = ask(gateway, "GET", ME, **credentials)
        assert (answer.status_code, "Set-Cookie" in answer.headers) == (401, False)
    assert ask(accounts.gateways[0], "GET", ME, headers=cookies_of(tokens)).status_code == 200
    ready = ask(gateway, "GET", "/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert "fresh tokens are refused" in ready.json()["remarks"]["clocks"]
    assert '"event":"clocks_differ"' in gateway.log.read_text()


def test_a_phone_that_missed_an_answer_gets_the_same_successor_minutes_later(
    accounts: Accounts, later: Process, ask: Get, register: Get, seconds_until_refused: Get
) -> None:
    parent = register().tokens["refresh_token"]

    def refresh(gateway: Process, token: str) -> Any:
        return ask(gateway, "POST", "/api/v1/tokens/refresh", json={"refresh_token": token})

    lost = refresh(accounts.gateways[0], parent).json()["refresh_token"]
    for gateway in (accounts.gateways[1], later):
        again = refresh(gateway, parent)
        assert (again.status_code, again.json()["refresh_token"]) == (200, lost)
        assert ask(gateway, "GET", ME, token=again.json()["access_token"]).status_code == 200
    newest = refresh(later, lost).json()
    assert ask(later, "GET", ME, token=newest["access_token"]).status_code == 200
    # The successor was used: whoever comes with its parent now has a copy.
    assert refresh(later, parent).status_code == 401
    assert refresh(later, newest["refresh_token"]).status_code == 401
    assert seconds_until_refused(later, newest["access_token"], time.monotonic()) < 5
