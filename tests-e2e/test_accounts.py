"""What becomes of an account: forgotten and changed passwords, another mobile, a picture, the end."""

import io
import time
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

Get = Callable[..., Any]
NEW = "another long password"
ENDED_WITHIN_SECONDS = 5.0


def ended(client: Get, token: str) -> bool:
    """Say whether a token is refused in time."""
    end = time.monotonic() + ENDED_WITHIN_SECONDS
    while client("GET", "/api/v1/users/me", token=token).status_code != 401:
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def log_in(client: Get, mobile: str, password: str) -> Any:
    return client("POST", "/api/v1/sessions", json={"mobile": mobile, "password": password})


@pytest.fixture
def own_code(stack: Any, app: Get, solved_captcha: Get) -> Get:
    """Have a code texted for a purpose of a signed-in person, and read it."""

    def get(mobile: str, purpose: str, token: str) -> str:
        before = len(stack.inbox(mobile))
        body = {"mobile": mobile, "purpose": purpose, **solved_captcha()}
        answer = app("POST", "/api/v1/sms-codes", json=body, token=token)
        assert answer.status_code == 202, answer.text
        text: str = stack.wait_for_texts(mobile, before + 1)[0]["text"]
        return "".join(filter(str.isdigit, text))[:6]

    return get


def test_who_forgot_the_password_sets_another_and_every_session_ends(
    app: Get, register: Get, stack: Any, texted_code: Get
) -> None:
    person = register()
    code = texted_code(person.mobile, "reset_password")
    body = {"mobile": person.mobile, "sms_code": code}
    weak = app("POST", "/api/v1/password-resets", json={**body, "password": "1234567"})
    assert (weak.status_code, weak.json()["code"]) == (422, "password_rejected")
    assert app("POST", "/api/v1/password-resets", json={**body, "password": NEW}).status_code == 204

    assert ended(app, person.access_token)
    renewed = app("POST", "/api/v1/tokens/refresh", json={"refresh_token": person.refresh_token})
    assert renewed.status_code == 401
    assert log_in(app, person.mobile, person.password).status_code == 401
    assert log_in(app, person.mobile, NEW).status_code == 201
    assert "密码刚刚被修改" in stack.wait_for_texts(person.mobile, 3)[0]["text"]


def test_a_code_of_nobody_resets_nothing_and_tells_nothing(app: Get, mobile: str, texted_code: Get) -> None:
    code = texted_code(mobile, "reset_password")
    body = {"mobile": mobile, "sms_code": code, "password": NEW}
    answer = app("POST", "/api/v1/password-resets", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "sms_code_wrong")


def test_a_changed_password_ends_the_other_sessions_and_is_told(app: Get, register: Get, stack: Any) -> None:
    person = register()
    here = log_in(app, person.mobile, person.password).json()["access_token"]
    body = {"current_password": person.password, "new_password": NEW}
    assert app("PUT", "/api/v1/users/me/password", json=body, token=here).status_code == 204
    assert ended(app, person.access_token)
    assert app("GET", "/api/v1/users/me", token=here).status_code == 200
    assert log_in(app, person.mobile, NEW).status_code == 201
    assert "密码刚刚被修改" in stack.wait_for_texts(person.mobile, 2)[0]["text"]


def test_another_mobile_signs_in_and_the_old_one_is_told(
    app: Get, register: Get, stack: Any, new_mobile: Get, own_code: Get
) -> None:
    person, other = register(), new_mobile()
    code = own_code(other, "change_mobile", person.access_token)
    body = {"mobile": other, "sms_code": code}
    answer = app("PUT", "/api/v1/users/me/mobile", json=body, token=person.access_token)
    assert answer.status_code == 200, answer.text
    assert answer.json()["mobile"] == f"+86{other}"
    assert log_in(app, other, person.password).status_code == 201
    assert log_in(app, person.mobile, person.password).status_code == 401
    assert "已更换手机号" in stack.wait_for_texts(person.mobile, 2)[0]["text"]


def test_a_code_for_a_mobile_is_its_askers_alone(app: Get, register: Get, new_mobile: Get, own_code: Get) -> None:
    person, thief, other = register(), register(), new_mobile()
    body = {"mobile": other, "sms_code": own_code(other, "change_mobile", person.access_token)}
    stolen = app("PUT", "/api/v1/users/me/mobile", json=body, token=thief.access_token)
    assert (stolen.status_code, stolen.json()["code"]) == (400, "sms_code_expired")
    assert app("PUT", "/api/v1/users/me/mobile", json=body, token=person.access_token).status_code == 200


def test_a_code_opens_an_account_if_that_is_wished(app: Get, mobile: str, texted_code: Get) -> None:
    body = {"mobile": mobile, "sms_code": texted_code(mobile, "login"), "create_user": True}
    answer = app("POST", "/api/v1/sessions", json=body)
    assert answer.status_code == 201
    token = answer.json()["access_token"]
    assert app("GET", "/api/v1/users/me", token=token).json()["mobile"] == f"+86{mobile}"
    assert app("PUT", "/api/v1/users/me/password", json={"new_password": NEW}, token=token).status_code == 204
    assert log_in(app, mobile, NEW).status_code == 201


def test_an_avatar_is_drawn_anew_and_shown_to_everybody(app: Get, register: Get) -> None:
    person = register()
    file = io.BytesIO()
    Image.effect_noise((1600, 1200), 90).convert("RGB").save(file, "PNG")
    assert len(file.getvalue()) > 1024 * 1024  # More than any other body may have.
    headers = {"Content-Type": "image/png"}
    answer = app("PUT", "/api/v1/users/me/avatar", data=file.getvalue(), headers=headers, token=person.access_token)
    assert answer.status_code == 200, answer.text
    shown = app("GET", answer.json()["avatar_url"])
    assert shown.headers["Content-Type"] == "image/webp"
    assert "immutable" in shown.headers["Cache-Control"]
    assert Image.open(io.BytesIO(shown.content)).size == (256, 256)
    assert app("GET", f"/api/v1/users/{person.user['id']}").json()["avatar_url"] == answer.json()["avatar_url"]
    assert app("DELETE", "/api/v1/users/me/avatar", token=person.access_token).status_code == 204
    assert app("GET", answer.json()["avatar_url"]).status_code == 404


def test_a_deleted_account_is_gone_and_its_mobile_registers_anew(
    app: Get, browser_client: Get, register: Get, stack: Any, texted_code: Get
) -> None:
    person = register()
    browser_client("POST", "/api/v1/sessions", json={"mobile": person.mobile, "password": person.password})
    deleted = browser_client("DELETE", "/api/v1/users/me")
    assert deleted.status_code == 204
    assert all("Max-Age=0" in cookie for cookie in deleted.raw.headers.getlist("Set-Cookie"))

    assert ended(app, person.access_token)
    assert app("GET", f"/api/v1/users/{person.user['id']}").status_code == 404
    assert log_in(app, person.mobile, person.password).status_code == 401
    for key in stack.redis_command("KEYS", "sms:cool:*"):
        stack.redis_command("DEL", key)  # A minute has passed.
    body = {"mobile": person.mobile, "sms_code": texted_code(person.mobile), "password": NEW}
    again = app("POST", "/api/v1/users", json=body)
    assert again.status_code == 201
    assert again.json()["user"]["id"] != person.user["id"]
