"""Administrators keep people out, within seconds, and what anybody may ask tells nothing about an account."""

import time
from collections.abc import Callable
from typing import Any

import pytest

Get = Callable[..., Any]
DEAD_WITHIN_SECONDS = 5.0


@pytest.fixture
def act(app: Get, admin_token: str) -> Get:
    """Call as the administrator."""

    def act(method: str, path: str, **options: Any) -> Any:
        return app(method, f"/api/v1/admin{path}", token=admin_token, **options)

    return act


def seconds_until_dead(app: Get, token: str) -> float:
    """Ask with a token until it is refused, and return how long that took."""
    begun = time.monotonic()
    while app("GET", "/api/v1/users/me", token=token).status_code != 401:
        assert time.monotonic() - begun < DEAD_WITHIN_SECONDS
        time.sleep(0.05)
    return time.monotonic() - begun


def test_T33_a_banned_person_is_out_within_seconds_and_stays_out(app: Get, act: Get, register: Get) -> None:
    person = register()
    ban = f"/users/{person.user['id']}/ban"
    assert act("PUT", ban, json={"reason": "spam"}).json()["ban"] == {"until": None, "reason": "spam"}
    assert seconds_until_dead(app, person.access_token) < DEAD_WITHIN_SECONDS
    assert app("POST", "/api/v1/tokens/refresh", json={"refresh_token": person.refresh_token}).status_code == 401
    login = {"mobile": person.mobile, "password": person.password}
    assert app("POST", "/api/v1/sessions", json=login).json()["code"] == "credentials_wrong"
    assert act("DELETE", ban).status_code == 204
    assert app("POST", "/api/v1/sessions", json=login).status_code == 201


def test_T21_a_code_is_sent_alike_to_known_unknown_and_banned_mobiles(
    app: Get, act: Get, register: Get, new_mobile: Get, ask_code: Get, stack: Any
) -> None:
    known, banned, unknown = register(), register(), new_mobile()
    act("PUT", f"/users/{banned.user['id']}/ban", json={"reason": "spam"})
    for key in stack.redis_command("KEYS", "sms:cool:*"):
        stack.redis_command("DEL", key)  # A minute has passed since they registered.
    for purpose in ("login", "reset_password"):
        answers = [ask_code(mobile, purpose) for mobile in (known.mobile, banned.mobile, unknown)]
        refused = [ask_code(mobile, purpose) for mobile in (known.mobile, banned.mobile, unknown)]
        assert [answer.status_code for answer in answers + refused] == [202] * 3 + [429] * 3
        for group in (answers, refused):
            assert len({tuple(sorted(without_ids(answer).items())) for answer in group}) == 1
        for key in stack.redis_command("KEYS", "sms:cool:*"):
            stack.redis_command("DEL", key)


def without_ids(answer: Any) -> dict[str, str]:
    """Return what a client can tell answers apart by; the wait, which runs, aside."""
    body = {name: str(value) for name, value in answer.json().items() if name not in ("request_id", "resend_after")}
    return body | {f"header {name}": "" for name in answer.headers}


def test_T38_an_administrator_ends_the_sessions_of_one_and_of_everybody(app: Get, act: Get, register: Get) -> None:
    first, second = register(), register()
    assert act("DELETE", f"/users/{first.user['id']}/sessions").status_code == 204
    seconds_until_dead(app, first.access_token)
    assert app("GET", "/api/v1/users/me", token=second.access_token).status_code == 200
    assert act("POST", "/revoke-all").status_code == 204
    seconds_until_dead(app, second.access_token)
    assert act("GET", "/users").status_code == 401
    time.sleep(2)  # Whoever signed in within that very second is out too.
    login = {"mobile": second.mobile, "password": second.password}
    token = app("POST", "/api/v1/sessions", json=login).json()["access_token"]
    assert app("GET", "/api/v1/users/me", token=token).status_code == 200


def test_a_revoked_role_takes_the_administration_away(app: Get, register: Get, stack: Any) -> None:
    person = register()
    stack.flask("admin", "grant", person.mobile)
    login = {"mobile": person.mobile, "password": person.password}
    token = app("POST", "/api/v1/sessions", json=login).json()["access_token"]
    events = app("GET", f"/api/v1/admin/audit-events?user_id={person.user['id']}", token=token).json()["items"]
    assert [line["event"] for line in events] == ["login_by_password", "admin_granted", "registration"]
    stack.flask("admin", "revoke", person.mobile)
    seconds_until_dead(app, token)
    token = app("POST", "/api/v1/sessions", json=login).json()["access_token"]
    assert app("GET", "/api/v1/admin/users", token=token).status_code == 403


def test_a_captcha_of_the_system_opens_the_login_after_failures(app: Get, register: Get, solved_captcha: Get) -> None:
    person = register()
    wrong = {"mobile": person.mobile, "password": "not the password"}
    codes = [app("POST", "/api/v1/sessions", json=wrong).json()["code"] for _ in range(4)]
    assert codes == ["credentials_wrong"] * 3 + ["captcha_required"]
    login = {"mobile": person.mobile, "password": person.password}
    assert app("POST", "/api/v1/sessions", json=login | solved_captcha()).status_code == 201
