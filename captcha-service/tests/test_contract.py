from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_openapi3 import OpenAPI

from chassis.web import Access, openapi_document

Headers = Callable[..., dict[str, str]]


def test_the_checked_in_document_is_the_generated_one(
    app: OpenAPI, check_openapi: Callable[[str, dict[str, Any]], None]
) -> None:
    check_openapi("captcha-service", openapi_document(app))


def test_every_route_says_who_may_call_it(app: OpenAPI) -> None:
    silent = [
        rule.rule for rule in app.url_map.iter_rules() if not hasattr(app.view_functions[rule.endpoint], "access")
    ]
    assert silent == []


def test_only_health_checks_are_open(app: OpenAPI) -> None:
    views = app.view_functions
    opened = {rule.rule for rule in app.url_map.iter_rules() if views[rule.endpoint].access is Access.UNAUTHENTICATED}
    assert opened == {"/healthz", "/readyz"}


@pytest.mark.parametrize(
    ("method", "path", "json"),
    [
        ("POST", "/api/v1/captchas", {}),
        ("GET", "/api/v1/captchas/xj00/image", None),
        ("GET", "/api/v1/captchas/xj00/audio", None),
        ("POST", "/internal/captchas/xj00/attempts", {"text": "x"}),
        ("PUT", "/internal/captchas/an-id", None),
        ("DELETE", "/internal/captchas/an-id", None),
    ],
)
def test_nobody_calls_without_an_internal_token(client: FlaskClient, method: str, path: str, json: object) -> None:
    answer = client.open(path, method=method, json=json)
    assert (answer.status_code, answer.json["code"]) == (401, "internal_token_refused")


@pytest.mark.parametrize(
    ("service", "method", "path", "json"),
    [
        ("sms-service", "POST", "/api/v1/captchas", {}),
        ("gateway", "POST", "/internal/captchas/xj00/attempts", {"text": "x"}),
        ("news-service", "POST", "/internal/captchas/xj00/attempts", {"text": "x"}),
        ("sms-service", "PUT", "/internal/captchas/an-id", None),
        ("user-service", "DELETE", "/internal/captchas/an-id", None),
    ],
)
def test_a_neighbour_calls_only_what_is_its_own(
    client: FlaskClient, called_by: Headers, service: str, method: str, path: str, json: object
) -> None:
    answer = client.open(path, method=method, json=json, headers=called_by("captcha-service", service))
    assert (answer.status_code, answer.json["code"]) == (403, "service_refused")


@pytest.mark.parametrize("path", ["/api/v1/captchas", "/internal/captchas/xj00/attempts"])
@pytest.mark.parametrize(
    ("body", "media_type", "status", "code"),
    [
        ("", "application/json", 400, "body_malformed"),
        ("{", "application/json", 400, "body_malformed"),
        ("null", "application/json", 400, "body_malformed"),
        ("[]", "application/json", 400, "body_malformed"),
        ('"{}"', "application/json", 400, "body_malformed"),
        (b"\xff\xfe", "application/json", 400, "body_malformed"),
        ("{}", "text/plain", 415, "media_type_unsupported"),
        ("text=x", "application/x-www-form-urlencoded", 415, "media_type_unsupported"),
        ('{"unknown": 1, "text": "x"}', "application/json", 422, "request_invalid"),
        ('{"text": "' + "x" * 1024 * 1024 + '"}', "application/json", 413, "body_too_large"),
    ],
)
def test_a_wrong_body_is_a_problem(
    client: FlaskClient,
    called_by: Headers,
    path: str,
    body: str | bytes,
    media_type: str,
    status: int,
    code: str,
) -> None:
    headers = called_by("captcha-service", "gateway" if path.startswith("/api") else "sms-service")
    answer = client.post(path, data=body, content_type=media_type, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize("text", [None, 5, True, ["A"], {"a": 1}, "x" * 1025])
def test_a_text_of_a_wrong_type_or_size_is_named(attempt: Callable[..., Any], text: object) -> None:
    answer = attempt("xj00", text)
    assert answer.status_code == 422
    assert [wrong["field"] for wrong in answer.json["errors"]] == ["text"]


def test_unknown_paths_and_methods_are_problems(client: FlaskClient, from_gateway: Headers) -> None:
    assert client.get("/api/v1/captcha", headers=from_gateway()).json["code"] == "not_found"
    refused = client.get("/api/v1/captchas", headers=from_gateway())
    assert (refused.status_code, refused.json["code"]) == (405, "method_not_allowed")
    assert "POST" in refused.headers["Allow"]
