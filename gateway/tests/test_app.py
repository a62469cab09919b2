import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from gateway.app import create_app
from gateway.settings import Settings

MakeSettings = Callable[..., Settings]


def test_health_says_what_is_missing(gateway: Any) -> None:
    assert gateway.ask("GET", "/healthz").json == {"status": "up"}
    checks = gateway.ask("GET", "/readyz").json["checks"]
    assert set(checks.values()) == {"up"}
    assert len(checks) == 3


def test_these_are_all_endpoints_of_the_gateways_own(make_settings: MakeSettings, services: Any) -> None:
    app = create_app(make_settings(user_service_url=services.user.url))
    app.extensions["threads"].stop()
    passport = {"image_code", "imageCode", "sms_code", "smscode", "register", "login", "logout"}
    own = {"/healthz", "/readyz", "/docs", "/docs/<name>", "/api/v1/openapi.json", "/inbox", "/inbox/messages"}
    own |= {"/.well-known/gateway-jwks.json", "/auth"}
    assert {rule.rule for rule in app.url_map.iter_rules()} == own | {f"/passport/{name}" for name in passport}


def test_T44_the_gateway_does_not_start_on_a_known_key(redis_url: str) -> None:
    variables = {f"GATEWAY_{name}_SERVICE_URL": "http://127.0.0.1:9" for name in ("CAPTCHA", "SMS", "USER", "NEWS")}
    variables |= {"GATEWAY_REDIS_URL": redis_url, "GATEWAY_INTERNAL_TOKEN_KEY": "k" * 32}
    command = [sys.executable, "-m", "gunicorn", "-b", "127.0.0.1:0", "gateway.app:create_app()"]
    env = {**os.environ, **variables}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert "GATEWAY_INTERNAL_TOKEN_KEY is a known or obvious key" in done.stderr
