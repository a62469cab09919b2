"""What the HTTP edge promises: who may call, what bad input is answered, the checked-in OpenAPI document, settings."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_openapi3 import OpenAPI

from chassis.settings import load_settings
from chassis.web import Access, openapi_document
from sms_service.app import create_app
from sms_service.settings import Settings

pytestmark = pytest.mark.usefixtures("living_worker")

GOOD = {"mobile": "13800138000", "purpose": "login", "captcha_id": "c", "captcha_text": "t"}


def test_every_route_says_who_may_call_it(app: OpenAPI) -> None:
    found = {rule.rule: app.view_functions[rule.endpoint].access for rule in app.url_map.iter_rules()}
    assert found == {
        "/healthz": Access.UNAUTHENTICATED,
        "/readyz": Access.UNAUTHENTICATED,
        "/internal/openapi.json": Access.SERVICE,
        "/api/v1/sms-codes": Access.OPTIONAL,
        "/api/v1/sms/receipts/<provider>/<secret>": Access.PUBLIC,
        "/internal/sms-codes/consume": Access.SERVICE,
        "/internal/sms-notices": Access.SERVICE,
        "/internal/inbox/messages": Access.SERVICE,
    }


def test_the_openapi_document_is_the_checked_in_one(app: OpenAPI, check_openapi: Callable[..., None]) -> None:
    check_openapi("sms-service", openapi_document(app))


@pytest.mark.parametrize(
    ("method", "path", "service"),
    [
        ("POST", "/api/v1/sms-codes", "user-service"),
        ("POST", "/internal/sms-codes/consume", "gateway"),
        ("POST", "/internal/sms-codes/consume", "news-service"),
        ("POST", "/internal/sms-notices", "gateway"),
        ("POST", "/internal/sms-notices", "news-service"),
        ("GET", "/internal/inbox/messages", "user-service"),
    ],
)
def test_other_callers_are_refused(client: FlaskClient, called_by, method: str, path: str, service: str) -> None:
    answer = client.open(path, method=method, json=GOOD, headers=called_by("sms-service", service))
    assert (answer.status_code, answer.json["code"]) == (403, "service_refused")


def test_nobody_comes_in_without_an_internal_token(client: FlaskClient, called_by) -> None:
    assert client.post("/api/v1/sms-codes", json=GOOD).status_code == 401
    assert client.post("/api/v1/sms-codes", json=GOOD, headers=called_by("user-service")).status_code == 401


@pytest.mark.parametrize(
    ("kwargs", "status", "code"),
    [
        ({"data": "not JSON", "content_type": "application/json"}, 400, "body_malformed"),
        ({"json": [1]}, 400, "body_malformed"),
        ({"json": '{"mobile": "13800138000"}'}, 400, "body_malformed"),
        ({"data": "mobile=1", "content_type": "application/x-www-form-urlencoded"}, 415, "media_type_unsupported"),
        ({"data": b"x" * 1_100_000, "content_type": "application/json"}, 413, "body_too_large"),
    ],
)
def test_what_is_no_json_object_is_refused(
    client: FlaskClient, called_by, kwargs: dict[str, Any], status: int, code: str
) -> None:
    answer = client.post("/api/v1/sms-codes", headers=called_by("sms-service"), **kwargs)
    assert (answer.status_code, answer.json["code"]) == (status, code)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["captcha_id", "captcha_text", "mobile", "purpose"]),
        (GOOD | {"mobile": 13800138000}, ["mobile"]),
        (GOOD | {"mobile": "1" * 65}, ["mobile"]),
        (GOOD | {"purpose": "fun", "captcha_id": "../x"}, ["captcha_id", "purpose"]),
        (GOOD | {"captcha_text": ""}, ["captcha_text"]),
        (GOOD | {"captcha_text": None, "mobile": ["1"]}, ["captcha_text", "mobile"]),
        (GOOD | {"code": "042619"}, ["code"]),
    ],
)
def test_every_wrong_field_is_named(client: FlaskClient, called_by, body: dict[str, Any], fields: list[str]) -> None:
    answer = client.post("/api/v1/sms-codes", json=body, headers=called_by("sms-service"))
    assert (answer.status_code, answer.json["code"]) == (422, "request_invalid")
    assert sorted(error["field"] for error in answer.json["errors"]) == fields


@pytest.mark.parametrize("change", [{"code": 42619}, {"code": ""}, {"subject": "x" * 33}, {"extra": 1}, {"purpose": 1}])
def test_a_wrong_consumption_is_refused(consume, change: dict[str, Any]) -> None:
    assert consume(**({"code": "042619"} | change)).status_code == 422


def test_a_subject_may_be_a_number(consume) -> None:
    assert consume("042619", purpose="change_mobile", subject=7).json["code"] == "sms_code_expired"


def test_unknown_paths_and_methods_are_problems(client: FlaskClient, called_by) -> None:
    headers = called_by("sms-service")
    assert client.get("/api/v1/nothing", headers=headers).json["code"] == "not_found"
    assert client.get("/api/v1/sms-codes", headers=headers).json["code"] == "method_not_allowed"


def test_the_service_is_ready_when_redis_and_the_queue_are(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert set(answer.json["checks"].values()) == {"up"}


def test_the_service_is_not_ready_without_a_worker(client: FlaskClient, living_worker) -> None:
    living_worker.leave()
    answer = client.get("/readyz")
    down = {name for name, state in answer.json["checks"].items() if state == "down"}
    assert (answer.status_code, down) == (503, {"sms_service.routing.deliverability.Deliverability"})
    assert client.get("/healthz").status_code == 200
    living_worker.beat(is_idle=True)
    assert client.get("/readyz").status_code == 200


def test_the_service_is_not_ready_without_redis(make_settings) -> None:
    answer = create_app(make_settings(redis_url="redis://127.0.0.1:9")).test_client().get("/readyz")
    assert answer.status_code == 503
    assert set(answer.json["checks"].values()) == {"down"}


def test_without_redis_a_request_is_refused_and_the_code_unknown(
    make_settings, captcha_address, captcha_stub, called_by
) -> None:
    settings = make_settings(redis_url="redis://127.0.0.1:9", captcha_service_url=captcha_address)
    client = create_app(settings).test_client()
    captcha_stub.answers["c"] = "t"
    answer = client.post("/api/v1/sms-codes", json=GOOD, headers=called_by("sms-service"))
    assert (answer.status_code, answer.json["code"]) == (503, "sms_unavailable")
    body = {"mobile": "13800138000", "purpose": "login", "code": "042619"}
    headers = called_by("sms-service", "user-service")
    answer = client.post("/internal/sms-codes/consume", json=body, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (503, "service_unavailable")


def test_all_missing_settings_are_named_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SMS_ROUTES", "yuntongxun")
    monkeypatch.setenv("SMS_YUNTONGXUN_AUTH_TOKEN", "")
    monkeypatch.setenv("SMS_CODE_KEY", "short")
    with pytest.raises(SystemExit):
        load_settings(Settings)
    message = capsys.readouterr().err
    for name in ("REDIS_URL", "INTERNAL_TOKEN_KEY", "CODE_KEY", "CAPTCHA_SERVICE_URL"):
        assert f"SMS_{name}: " in message
    for name in ("ACCOUNT_SID", "AUTH_TOKEN", "APP_ID"):
        assert f"SMS_YUNTONGXUN_{name}: " in message
    assert "short" not in message


def test_an_empty_broker_address_means_none(make_settings) -> None:
    assert make_settings(amqp_url="").amqp_url is None


def test_the_topology_command_has_nothing_to_do_on_redis(app: OpenAPI) -> None:
    result = app.test_cli_runner().invoke(args=["sms", "topology", "apply"])
    assert (result.exit_code, result.output) == (0, "The queue is a stream on Redis; it needs no topology.\n")


def test_the_topology_command_fails_without_the_broker(make_settings) -> None:
    app = create_app(make_settings(amqp_url="amqp://127.0.0.1:9/%2f"))
    result = app.test_cli_runner().invoke(args=["sms", "topology", "check"])
    assert result.exit_code == 1
    assert "RabbitMQ" in result.output
