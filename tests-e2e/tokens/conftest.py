"""The fixtures of the journeys of a token: two gateways, and what a client does at them."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from gateway.auth.identity_tokens import new_key_pem
from local.settings import free_ports
from stage.accounts import Accounts, running_accounts
from stage.client import PASSWORD, Client
from stage.http_stub import HttpStub, Request, response

ROUTES = """
services: {{orders: {{urls: ["{url}"], identity: token}}}}
routes: [{{path: /api/orders, methods: [GET, POST], service: orders, access: signed-in}}]
"""
EXAMPLE_ROUTES = Path(__file__).parents[2] / "examples" / "routes.yaml"
EXAMPLES = {"flask": 5001, "fastapi": 5002, "express": 5003}
_mobiles = itertools.count(13800000000)


class Orders(HttpStub):
    """Plays a service of the operator, which answers everything."""

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Say that it is there."""
        writer.write(response(b"{}"))


@pytest.fixture(scope="session")
def example_ports() -> dict[str, int]:
    """The ports of `examples/`, by their names."""
    return dict(zip(EXAMPLES, free_ports(len(EXAMPLES)), strict=True))


@pytest.fixture(scope="session")
def identity_key() -> str:
    """The key, as PEM, with which the gateways sign identity tokens."""
    return new_key_pem()


@pytest.fixture(scope="session")
def accounts(
    example_ports: dict[str, int], identity_key: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Accounts]:
    """The running system, with services of the operator that get identities; we are a proxy that may ask `/auth`."""
    folder = tmp_path_factory.mktemp("routes")
    orders_file, examples_file = folder / "orders.yaml", folder / "examples.yaml"
    text = EXAMPLE_ROUTES.read_text()
    for given, port in zip(EXAMPLES.values(), example_ports.values(), strict=True):
        text = text.replace(f"127.0.0.1:{given}", f"127.0.0.1:{port}")
    examples_file.write_text(text)
    variables = {"GATEWAY_ROUTES_FILE": f"{orders_file},{examples_file}", "GATEWAY_IDENTITY_KEYS": identity_key}
    with Orders() as orders:
        orders_file.write_text(ROUTES.format(url=orders.url))
        with running_accounts(gateways=2, GATEWAY_TRUSTED_PROXIES="127.0.0.1", **variables) as system:
            yield system


@pytest.fixture
def client() -> Iterator[Client]:
    """Somebody who asks."""
    with Client() as asking:
        yield asking


@pytest.fixture
def ask(client: Client) -> Callable[..., requests.Response]:
    """Send one request to a process: ``ask(gateway, "GET", "/…", token=…)``."""
    return client.ask


@dataclass(frozen=True)
class Person:
    """Somebody with an account."""

    mobile: str
    tokens: dict[str, Any]


@pytest.fixture
def register(accounts: Accounts, client: Client) -> Callable[[], Person]:
    """Make an account."""

    def make() -> Person:
        mobile = str(next(_mobiles))
        return Person(mobile, client.register(accounts.gateways[0], mobile))

    return make


@pytest.fixture
def log_in(accounts: Accounts, client: Client) -> Callable[..., requests.Response]:
    """Log in by password, through a gateway."""

    def enter(mobile: str, password: str = PASSWORD, *, through: int = 0) -> requests.Response:
        return client.log_in(accounts.gateways[through], mobile, password)

    return enter


@pytest.fixture
def seconds_until_refused(client: Client) -> Callable[..., float]:
    """Measure how long a gateway still takes a token."""
    return client.seconds_until_refused
