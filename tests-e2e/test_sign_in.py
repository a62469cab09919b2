"""Registering, logging in and out, staying in."""

import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

Get = Callable[..., Any]
REVOKED_WITHIN_SECONDS = 5.0


def refused_within(client: Get, seconds: float, **options: Any) -> bool:
    """Say whether ``users/me`` becomes a 401 in time."""
    end = time.monotonic() + seconds
    while client("GET", "/api/v1/users/me", **options).status_code != 401:
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def without_request_id(answer: Any) -> tuple[int, dict[str, Any]]:
    """Return what a client can tell answers apart by."""
    return answer.status_code, {name: value for name, value in answer.json().items() if name != "request_id"}


def test_a_registered_person_is_signed_in_until_they_log_out(app: Get, register: Get) -> None:
    person = register()
    me = app("GET", "/api/v1/users/me", token=person.access_token)
    assert me.status_code == 200
    assert me.json()["mobile"] == f"+86{person.mobile}"
    assert me.json()["id"] == person.user["id"]
    assert me.json()["last_login"]

    assert app("DELETE", "/api/v1/sessions/current", token=person.access_token).status_code == 204

    assert refused_within(app, REVOKED_WITHIN_SECONDS, token=person.access_token)
    renewed = app("POST", "/api/v1/tokens/refresh", json={"refresh_token": person.refresh_token})
    assert (renewed.status_code, renewed.json()["code"]) == (401, "unauthenticated")


def test_an_answer_to_registering_has_everything_a_client_needs(app: Get, mobile: str, texted_code: Get) -> None:
    body = {"mobile": mobile, "sms_code": texted_code(mobile), "password": "journey of a thousand li"}
    nick_name = f"路人{secrets.token_hex(3)}"
    answer = app("POST", "/api/v1/users", json={**body, "nick_name": nick_name})
    assert answer.status_code == 201
    session = answer.json()
    assert session["token_type"] == "Bearer"
    assert session["expires_in"] == 600
    assert session["user"]["nick_name"] == nick_name
    assert "password" not in answer.text.replace(body["password"], "password ")


def test_the_nick_name_of_a_new_person_does_not_show_their_mobile(register: Get) -> None:
    person = register()
    assert person.mobile not in person.user["nick_name"]


def test_a_person_logs_in_by_password_with_any_spelling_of_the_mobile(app: Get, register: Get) -> None:
    person = register()
    for spelling in (
        person.mobile,
        f"+86 {person.mobile}",
        f"{person.mobile[:3]}-{person.mobile[3:7]}-{person.mobile[7:]}",
    ):
        answer = app("POST", "/api/v1/sessions", json={"mobile": spelling, "password": person.password})
        assert answer.status_code == 201
        assert answer.json()["user"]["id"] == person.user["id"]


def test_a_person_logs_in_by_code(app: Get, register: Get, texted_code: Get) -> None:
    person = register()
    body = {"mobile": person.mobile, "sms_code": texted_code(person.mobile, "login")}
    answer = app("POST", "/api/v1/sessions", json=body)
    assert answer.status_code == 201
    assert app("GET", "/api/v1/users/me", token=answer.json()["access_token"]).json()["id"] == person.user["id"]
    again = app("POST", "/api/v1/sessions", json=body)
    assert (again.status_code, again.json()["code"]) == (401, "credentials_wrong")


def test_a_code_opens_no_account_where_there_is_none(app: Get, mobile: str, texted_code: Get) -> None:
    answer = app("POST", "/api/v1/sessions", json={"mobile": mobile, "sms_code": texted_code(mobile, "login")})
    assert (answer.status_code, answer.json()["code"]) == (401, "credentials_wrong")


def test_a_wrong_password_and_an_unknown_account_look_the_same(app: Get, register: Get, mobile: str) -> None:
    wrong = app("POST", "/api/v1/sessions", json={"mobile": register().mobile, "password": "not the password"})
    unknown = app("POST", "/api/v1/sessions", json={"mobile": mobile, "password": "not the password"})
    assert without_request_id(wrong) == without_request_id(unknown)
    assert (wrong.status_code, wrong.json()["code"], wrong.json()["errno"]) == (401, "credentials_wrong", "4103")
    assert wrong.json()["errmsg"] == "用户名或密码错误"


def test_a_refresh_gives_new_tokens_that_work(app: Get, register: Get) -> None:
    person = register()
    renewed = app("POST", "/api/v1/tokens/refresh", json={"refresh_token": person.refresh_token})
    assert renewed.status_code == 200
    assert "user" not in renewed.json()
    assert renewed.json()["refresh_token"] != person.refresh_token
    assert app("GET", "/api/v1/users/me", token=renewed.json()["access_token"]).status_code == 200


def test_an_old_refresh_token_ends_the_session(app: Get, register: Get) -> None:
    person = register()
    tokens = [person.refresh_token]
    for _ in range(2):
        renewed = app("POST", "/api/v1/tokens/refresh", json={"refresh_token": tokens[-1]})
        tokens.append(renewed.json()["refresh_token"])
    assert app("POST", "/api/v1/tokens/refresh", json={"refresh_token": tokens[0]}).status_code == 401
    assert app("POST", "/api/v1/tokens/refresh", json={"refresh_token": tokens[2]}).status_code == 401
    assert refused_within(app, REVOKED_WITHIN_SECONDS, token=person.access_token)


def test_a_mobile_has_one_account(app: Get, register: Get, stack: Any, texted_code: Get) -> None:
    person = register()
    for key in stack.redis_command("KEYS", "sms:cool:*"):
        stack.redis_command("DEL", key)  # A minute has passed.
    body = {"mobile": person.mobile, "sms_code": texted_code(person.mobile), "password": "another long password"}
    answer = app("POST", "/api/v1/users", json=body)
    assert (answer.status_code, answer.json()["code"], answer.json()["errno"]) == (409, "mobile_taken", "4003")


def test_a_rejected_password_does_not_use_the_code_up(app: Get, mobile: str, texted_code: Get) -> None:
    body = {"mobile": mobile, "sms_code": texted_code(mobile)}
    rejected = app("POST", "/api/v1/users", json={**body, "password": "1234567"})
    assert (rejected.status_code, rejected.json()["code"]) == (422, "password_rejected")
    assert app("POST", "/api/v1/users", json={**body, "password": "a longer one, at last"}).status_code == 201


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."])
def test_nobody_is_signed_in_by_a_made_up_token(app: Get, token: str) -> None:
    answer = app("GET", "/api/v1/users/me", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_browser_stays_signed_in_by_cookies_that_no_script_reads(browser_client: Get, register: Get) -> None:
    person = register()
    login = {"mobile": person.mobile, "password": person.password}
    answer = browser_client("POST", "/api/v1/sessions", json=login)
    cookies = answer.raw.headers.getlist("Set-Cookie")
    assert len(cookies) == 2
    assert all("HttpOnly" in cookie and "SameSite=Lax" in cookie for cookie in cookies)
    assert browser_client("GET", "/api/v1/users/me").json()["id"] == person.user["id"]
    assert browser_client("POST", "/api/v1/tokens/refresh", json={}).status_code == 200
    assert browser_client("DELETE", "/api/v1/sessions/current").status_code == 204
    assert browser_client("GET", "/api/v1/users/me").status_code == 401


def test_another_site_can_not_use_the_cookies(browser_client: Get, register: Get) -> None:
    person = register()
    browser_client("POST", "/api/v1/sessions", json={"mobile": person.mobile, "password": person.password})
    elsewhere = {"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"}
    answer = browser_client("DELETE", "/api/v1/sessions/current", headers=elsewhere)
    assert (answer.status_code, answer.json()["code"]) == (403, "cross_site_refused")
    assert browser_client("GET", "/api/v1/users/me").status_code == 200


@pytest.fixture
def jar_client(stack: Any) -> Iterator[requests.Session]:
    """A client as it comes: it keeps every cookie that it gets, and says nothing about where a request comes from."""
    with requests.Session() as session:
        session.trust_env = False
        yield session


def test_a_client_with_a_cookie_jar_is_not_locked_out_by_its_own_login(
    jar_client: requests.Session, stack: Any, register: Get, solved_captcha: Get, new_mobile: Get
) -> None:
    person = register()
    login = {"mobile": person.mobile, "password": person.password}
    tokens = jar_client.post(f"{stack.url}/api/v1/sessions", json=login).json()
    assert not jar_client.cookies
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert jar_client.get(f"{stack.url}/api/v1/users/me", headers=bearer).json()["id"] == person.user["id"]
    assert jar_client.patch(f"{stack.url}/api/v1/users/me", headers=bearer, json={"signature": "hi"}).status_code == 200
    code = {"mobile": new_mobile(), "purpose": "register", **solved_captcha()}
    assert jar_client.post(f"{stack.url}/api/v1/sms-codes", json=code).status_code == 202
    renewed = jar_client.post(f"{stack.url}/api/v1/tokens/refresh", json={"refresh_token": tokens["refresh_token"]})
    bearer = {"Authorization": f"Bearer {renewed.json()['access_token']}"}
    proof = {"password": person.password}
    proved = jar_client.post(f"{stack.url}/api/v1/reauthentications", headers=bearer, json=proof)
    bearer = {"Authorization": f"Bearer {proved.json()['access_token']}"}
    assert jar_client.delete(f"{stack.url}/api/v1/sessions/current", headers=bearer).status_code == 204
    assert not jar_client.cookies


def test_a_bearer_token_wins_over_the_cookies_of_a_client_that_asked_for_them(
    jar_client: requests.Session, stack: Any, register: Get
) -> None:
    first, second = register(), register()
    login = {"mobile": first.mobile, "password": first.password}
    jar_client.post(f"{stack.url}/api/v1/sessions?cookies=true", json=login)
    assert set(jar_client.cookies.keys()) == {"xinjing_at", "xinjing_rt"}
    me = f"{stack.url}/api/v1/users/me"
    assert jar_client.get(me).json()["id"] == first.user["id"]
    bearer = {"Authorization": f"Bearer {second.access_token}"}
    assert jar_client.patch(me, headers=bearer, json={"signature": "hi"}).json()["id"] == second.user["id"]
    assert jar_client.patch(me, json={"signature": "hi"}).status_code == 403
