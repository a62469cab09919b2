"""Killing any one container and starting it again loses no account and no accepted code."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.compose, pytest.mark.timeout(240)]
SERVICES = (
    "gateway",
    "captcha-service",
    "sms-service",
    "sms-worker",
    "user-service",
    "news-service",
    "redis",
    "rabbitmq",
    "mariadb",
)


@pytest.mark.parametrize("service", SERVICES)
def test_a_killed_container_loses_no_account_and_no_code(
    service: str,
    stack: Any,
    app: Callable[..., Any],
    register: Callable[[], Any],
    mobile: str,
    texted_code: Callable[..., str],
) -> None:
    account = register()
    code = texted_code(mobile)

    stack.kill_and_start(service)

    signed_in = app("POST", "/api/v1/sessions", json={"mobile": account.mobile, "password": account.password})
    assert signed_in.status_code == 201, signed_in.text
    assert signed_in.json()["user"]["id"] == account.user["id"]
    registered = app("POST", "/api/v1/users", json={"mobile": mobile, "sms_code": code, "password": account.password})
    assert registered.status_code == 201, registered.text
