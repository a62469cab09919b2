import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from gateway.app import create_app
from gateway.auth.identity_tokens import IdentityKeys, new_key_pem
from gateway.settings import Settings

KEYS = new_key_pem() + new_key_pem()
FILE = """
services:
  orders: {urls: ["http://orders:1"], identity: token}
routes:
  - path: "/api/orders/**"
    methods: [GET, POST]
    service: orders
    access: signed-in
    limit: {per: user, rate: 60/minute}
  - {path: "/api/orders/{day}", methods: [GET], service: orders, access: {role: shop:editor, recent_seconds: 300}}
  - {path: "/api/{any}/list", methods: [GET], service: orders, access: {role: admin}}
  - {path: "/**", methods: [GET], service: orders, access: public}
"""


@pytest.fixture
def run(make_settings: Callable[..., Settings], services: Any, tmp_path: Path) -> Callable[..., Result]:
    """Run a command of an operator."""
    (tmp_path / "orders.yaml").write_text(FILE)
    settings = make_settings(
        user_service_url=services.user.url, routes_file=str(tmp_path / "orders.yaml"), identity_keys=KEYS
    )
    app = create_app(settings)
    app.extensions["threads"].stop()
    return lambda *words: app.test_cli_runner().invoke(args=["gateway", *map(str, words)])


def test_the_routes_are_listed_in_the_order_in_which_they_win(run: Callable[..., Result]) -> None:
    lines = [line.split() for line in run("routes", "list").stdout.splitlines()]
    assert lines[0] == ["GET", "/", "news-service", "optional"]
    assert ["POST", "/api/v1/sessions", "user-service", "public", "sessions", "per", "address"] in lines
    assert lines[-4:] == [
        ["GET", "/api/orders/{day}", "orders", "role", "shop:editor", "in", "the", "last", "300", "s"],
        ["GET", "/api/{any}/list", "orders", "role", "admin"],
        ["GET,POST", "/api/orders/**", "orders", "signed-in", "60/minute", "per", "user"],
        ["GET", "/**", "orders", "public"],
    ]


def test_a_check_shows_which_routes_yield(run: Callable[..., Result]) -> None:
    done = run("routes", "check")
    yielding = [line for line in done.stdout.splitlines() if not line.startswith("/** ")]
    assert yielding == [
        "/api/{any}/list yields to /api/orders/{day}",
        "/api/orders/** yields to /api/orders/{day}, /api/{any}/list",
        "1 services and 4 paths of yours are right.",
    ]
    assert re.search(r"/api/orders/\*\*, [0-9]+ paths of ours\n", done.stdout)
    assert done.exit_code == 0


def test_a_check_of_other_files_tells_all_problems(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "new.yaml").write_text("x: 1\nroutes:\n- {path: a}\n")
    done = run("routes", "check", tmp_path / "new.yaml")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[0] == f"{tmp_path}/new.yaml:1: x: is unknown"
    assert done.stderr.splitlines()[-1] == "Error: 5 problems"


def test_keys_are_listed_and_made(run: Callable[..., Result]) -> None:
    first, second = (key.kid for key in IdentityKeys(KEYS).keys)
    assert run("keys", "list").stdout.splitlines() == [f"{first}  signs", f"{second}  is published"]
    assert len(IdentityKeys(KEYS + run("keys", "new").stdout).keys) == 3
