"""A session that ends, in whatever way, is refused within five seconds on the way to a service of the operator too.

Before it ends, both gateways hold an identity token for it that could be reused for half a minute.
"""

import time
from collections.abc import Callable
from typing import Any

import pytest

from stage.client import PASSWORD
from stage.revocation import BOUND_SECONDS

Get = Callable[..., Any]
WAIT_SECONDS = 30
FORWARDED = {"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/orders/7"}
ENDINGS = ["log out", "log out elsewhere", "change the password", "ban", "end a user's sessions", "end all sessions"]
# How a session meets the service: through the gateway, by a change, and at a proxy that asks.
WAYS: list[tuple[str, str, dict[str, str], int]] = [
    ("GET", "/api/orders", {}, 200),
    ("POST", "/api/orders", {"Sec-Fetch-Site": "same-origin"}, 200),
    ("GET", "/auth?service=orders", FORWARDED, 204),
]
PASSES = [status for *_, status in WAYS] * 2


def bearer(person: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {person.tokens['access_token']}"}


@pytest.fixture
def statuses(accounts: Any, ask: Get) -> Callable[[dict[str, str]], list[int]]:
    """Go all ways at both gateways with a session's header."""

    def go(session: dict[str, str]) -> list[int]:
        return [
            ask(gateway, method, path, headers=session | headers).status_code
            for gateway in accounts.gateways
            for method, path, headers, _ in WAYS
        ]

    return go


@pytest.fixture
def end(accounts: Any, ask: Get, register: Get, log_in: Get) -> Callable[[str, Any], None]:
    """End the first session of a person, by name; the person or an administrator does it through one gateway."""

    def act(ending: str, person: Any) -> None:
        first, tokens = accounts.gateways[0], log_in(person.mobile).json()
        elsewhere, user_id = tokens["access_token"], tokens["user"]["id"]
        new = {"current_password": PASSWORD, "new_password": "another correct horse"}
        calls = {
            "log out": ("DELETE", "/api/v1/sessions/current", person.tokens["access_token"], None),
            "log out elsewhere": ("DELETE", "/api/v1/sessions?scope=others", elsewhere, None),
            "change the password": ("PUT", "/api/v1/users/me/password", elsewhere, new),
            "ban": ("PUT", f"/api/v1/admin/users/{user_id}/ban", None, {"reason": "spam"}),
            "end a user's sessions": ("DELETE", f"/api/v1/admin/users/{user_id}/sessions", None, None),
            "end all sessions": ("POST", "/api/v1/admin/revoke-all", None, None),
        }
        method, path, token, body = calls[ending]
        answer = ask(first, method, path, token=token or administrator(), json=body)
        assert answer.status_code in (200, 204), answer.text

    def administrator() -> str:
        person = register()
        accounts.command("admin", "grant", person.mobile)
        return str(log_in(person.mobile).json()["access_token"])

    return act


@pytest.mark.parametrize("ending", ENDINGS)
def test_T33_no_ended_session_reaches_a_foreign_service(statuses: Get, register: Get, end: Get, ending: str) -> None:
    person, other = register(), register()
    sessions = [bearer(person), {"Cookie": f"xinjing_at={person.tokens['access_token']}"}]
    assert [statuses(session) for session in sessions] == [PASSES] * 2
    end(ending, person)
    ended_at = time.monotonic()
    while any(set(statuses(session)) != {401} for session in sessions):
        assert time.monotonic() - ended_at < WAIT_SECONDS
        time.sleep(0.01)
    assert time.monotonic() - ended_at < BOUND_SECONDS
    if ending != "end all sessions":
        assert statuses(bearer(other)) == PASSES
    # Whoever signs in within the second in which all sessions end is out too.
    while statuses(bearer(register())) != PASSES:
        assert time.monotonic() - ended_at < WAIT_SECONDS
