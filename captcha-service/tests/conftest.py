from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from flask_openapi3 import OpenAPI
from pydantic import SecretStr
from redis import Redis
from werkzeug.test import TestResponse

from captcha_service.app import create_app
from captcha_service.atlas import Atlas, make_atlas
from captcha_service.captchas import ALPHABET, CLASSIC_ALPHABET
from captcha_service.questions import CHARACTERS
from captcha_service.settings import Settings
from captcha_service.style import CLASSIC, SUMS, TEXTS

MakeApp = Callable[..., OpenAPI]
Headers = Callable[..., dict[str, str]]


@pytest.fixture
def make_app(redis: Redis, redis_url: str, internal_token_key: str) -> MakeApp:
    """Make the app with other settings than the usual ones."""

    def make(**changes: object) -> OpenAPI:
        values = {"redis_url": redis_url, "internal_token_key": SecretStr(internal_token_key), **changes}
        return create_app(Settings(**values))

    return make


@pytest.fixture(scope="session")
def atlas() -> Atlas:
    """Parts of pictures for every text."""
    return make_atlas(ALPHABET, style=TEXTS, seed=b"any")


@pytest.fixture(scope="session")
def sums_atlas() -> Atlas:
    """Parts of pictures for every sum."""
    return make_atlas(CHARACTERS, style=SUMS, seed=b"any")


@pytest.fixture(scope="session")
def classic_atlas() -> Atlas:
    """Parts of pictures for every text of a classic page."""
    return make_atlas(CLASSIC_ALPHABET, style=CLASSIC, seed=b"any")


@pytest.fixture
def app(make_app: MakeApp) -> OpenAPI:
    return make_app()


@pytest.fixture
def client(app: OpenAPI) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def from_gateway(called_by: Headers) -> Callable[..., dict[str, str]]:
    """Headers of a request that the gateway passes on for a client's address."""

    def headers(address: str = "198.51.100.1") -> dict[str, str]:
        return {**called_by("captcha-service"), "X-Forwarded-For": address}

    return headers


@pytest.fixture
def issue(client: FlaskClient, from_gateway: Headers) -> Callable[..., TestResponse]:
    """Ask for a captcha from an address."""

    def ask(address: str = "198.51.100.1") -> TestResponse:
        return client.post("/api/v1/captchas", json={}, headers=from_gateway(address))

    return ask


@pytest.fixture
def bind(client: FlaskClient, from_gateway: Headers) -> Callable[..., TestResponse]:
    """Bind a classic client's id to a fresh captcha."""

    def put(classic_id: str, address: str = "198.51.100.1") -> TestResponse:
        return client.put(f"/internal/captchas/{classic_id}", headers=from_gateway(address))

    return put


@pytest.fixture
def attempt(client: FlaskClient, called_by: Headers) -> Callable[[str, object], TestResponse]:
    """Show a text for a captcha, as sms-service does."""

    def show(captcha_id: str, text: object) -> TestResponse:
        headers = called_by("captcha-service", "sms-service")
        return client.post(f"/internal/captchas/{captcha_id}/attempts", json={"text": text}, headers=headers)

    return show
