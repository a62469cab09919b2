"""The fixtures of the journeys of a token: two gateways, and what a client does at them."""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from stage.accounts import Accounts, Process, running_accounts

PASSWORD = "correct horse battery"
_mobiles = itertools.count(13800000000)


@pytest.fixture(scope="session")
def accounts() -> Iterator[Accounts]:
    """The running system."""
    with running_accounts(gateways=2) as system:
        yield system


Ask = Callable[..., requests.Response]


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Send one request to a process: ``ask(gateway, "GET", "/…", token=…)``; keeps connections, and no cookies."""
    with requests.Session() as session:
        session.trust_env = False

        def send(process: Process, method: str, path: str, **options: Any) -> requests.Response:
            token = options.pop("token", None)
            headers = options.pop("headers", {}) | ({"Authorization": f"Bearer {token}"} if token else {})
            session.cookies.clear()
            return session.request(method, process.url + path, headers=headers, timeout=20, **options)

        yield send


@dataclass(frozen=True)
class Person:
    """Somebody with an account."""

    mobile: str
    tokens: dict[str, Any]


@pytest.fixture
def register(accounts: Accounts, ask: Ask) -> Callable[[], Person]:
    """Make an account."""

    def make() -> Person:
        mobile = str(next(_mobiles))
        body = {"mobile": mobile, "sms_code": "031415", "password": PASSWORD}
        answer = ask(accounts.gateways[0], "POST", "/api/v1/users", json=body)
        assert answer.status_code == 201, answer.text
        return Person(mobile, answer.json())

    return make


@pytest.fixture
def log_in(accounts: Accounts, ask: Ask) -> Callable[..., requests.Response]:
    """Log in by password, through a gateway."""

    def enter(mobile: str, password: str = PASSWORD, *, through: int = 0) -> requests.Response:
        return ask(
            accounts.gateways[through], "POST", "/api/v1/sessions", json={"mobile": mobile, "password": password}
        )

    return enter


@pytest.fixture
def seconds_until_refused(ask: Ask) -> Callable[..., float]:
    """Measure how long a gateway still takes a token."""

    def measure(gateway: Process, token: str, begun_at: float) -> float:
        while ask(gateway, "GET", "/api/v1/users/me", token=token).status_code != 401:
            assert time.monotonic() - begun_at < 10, "the token is still good after ten seconds"
            time.sleep(0.001)
        return time.monotonic() - begun_at

    return measure
