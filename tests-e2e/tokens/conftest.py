"""The fixtures of the journeys of a token: two gateways, and what a client does at them."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from stage.accounts import Accounts, running_accounts
from stage.client import PASSWORD, Client

_mobiles = itertools.count(13800000000)


@pytest.fixture(scope="session")
def accounts() -> Iterator[Accounts]:
    """The running system."""
    with running_accounts(gateways=2) as system:
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
