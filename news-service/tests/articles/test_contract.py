"""What holds for the whole service: access, problems, readiness, settings, the OpenAPI document."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from flask_openapi3 import OpenAPI
from pydantic import SecretStr, ValidationError

from chassis.web import openapi_document
from news_service.settings import Settings

pytestmark = pytest.mark.any_database  # Shapes do not depend on it.


def test_every_route_says_who_may_call_it(app: OpenAPI) -> None:
    silent = [
        str(rule) for rule in app.url_map.iter_rules() if not hasattr(app.view_functions[rule.endpoint], "access")
    ]
    assert silent == []


def test_the_document_is_the_checked_in_one(app: OpenAPI, check_openapi: Callable[..., None]) -> None:
    check_openapi("news-service", openapi_document(app))


@pytest.mark.parametrize("address", ["/api/v1/categories", "/api/v1/news", "/api/v1/news/1"])
def test_without_an_internal_token_nothing_is_read(app: OpenAPI, address: str) -> None:
    assert app.test_client().get(address).status_code == 401


def test_other_services_may_not_pose_as_the_gateway(app: OpenAPI, called_by: Callable[..., dict[str, str]]) -> None:
    answer = app.test_client().get("/api/v1/news", headers=called_by("news-service", "user-service"))
    assert (answer.status_code, answer.json["code"]) == (403, "service_refused")


@pytest.mark.parametrize(
    ("method", "address", "status", "code"),
    [
        ("GET", "/api/v1/nowhere", 404, "not_found"),
        ("GET", "/api/v1/news/abc", 404, "not_found"),
        ("DELETE", "/api/v1/news", 405, "method_not_allowed"),
        ("GET", "/api/v1/news/1/views", 405, "method_not_allowed"),
        ("POST", "/api/v1/news/1/views", 404, "not_found"),
        ("POST", "/api/v1/news/99999999999999999999/views", 404, "not_found"),
    ],
)
def test_wrong_addresses_and_methods_are_problems(
    client: FlaskClient, method: str, address: str, status: int, code: str
) -> None:
    answer = client.open(address, method=method)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert answer.content_type == "application/problem+json"


@pytest.mark.every_database
def test_ready_means_database_and_redis(client: FlaskClient) -> None:
    assert client.get("/readyz").status_code == 200


def test_a_database_that_is_away_is_a_503(
    settings: Settings, make_app: Callable[[Settings], OpenAPI], called_by: Callable[..., dict[str, str]]
) -> None:
    away = settings.model_copy(update={"database_url": SecretStr("postgresql+psycopg://nobody@127.0.0.1:1/none")})
    client = make_app(away).test_client()
    answer = client.get("/api/v1/news", headers=called_by("news-service"))
    assert (answer.status_code, answer.json["code"]) == (503, "service_unavailable")
    assert answer.headers["Retry-After"]
    assert client.get("/readyz").status_code == 503


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("database_url", "mysql://root@localhost/news"),
        ("database_url", "nonsense"),
        ("internal_token_key", "short"),
        ("view_flush_seconds", 0),
    ],
)
def test_wrong_settings_are_refused_without_repeating_them(settings: Settings, field: str, value: object) -> None:
    given = {
        "database_url": "sqlite:///x.db",
        "redis_url": "redis://127.0.0.1",
        "internal_token_key": "k" * 32,
        "user_service_url": "http://127.0.0.1:1",
        "images_dir": "/tmp/images",
        field: value,
    }
    with pytest.raises(ValidationError) as refused:
        Settings(**given)
    assert [wrong["loc"] for wrong in refused.value.errors()] == [(field,)]
    assert "root" not in str(refused.value)
