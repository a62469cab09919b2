"""What the gateway does with input that nobody should send."""

import gzip
import json
import re
import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

Get = Callable[..., Any]
PROBLEM = "application/problem+json"
JSON_OPERATIONS = (
    "/api/v1/captchas",
    "/api/v1/sms-codes",
    "/api/v1/users",
    "/api/v1/sessions",
    "/api/v1/tokens/refresh",
)
ATTEMPT = "internal/captchas/x/attempts"


def assert_problem(answer: Any, status: int, code: str) -> None:
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, PROBLEM), answer.text
    body = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["request_id"] == answer.headers["X-Request-Id"]
    assert body["errno"]
    assert body["errmsg"]


@pytest.mark.parametrize("path", JSON_OPERATIONS)
@pytest.mark.parametrize("body", ["{", "null", "[]", '"{}"', "5", '{"a": NaN}', "\ufeff\ufeff{}", '{"a": 1}{'])
def test_what_is_not_one_json_object_is_malformed(app: Get, path: str, body: str) -> None:
    answer = app("POST", path, data=body.encode(), headers={"Content-Type": "application/json"})
    assert_problem(answer, 400, "body_malformed")


@pytest.mark.parametrize("path", JSON_OPERATIONS)
def test_a_byte_order_mark_before_an_object_is_ignored(app: Get, path: str) -> None:
    headers = {"Content-Type": "application/json"}
    plain, marked = (app("POST", path, data=body, headers=headers) for body in (b'{"x": 1}', b'\xef\xbb\xbf{"x": 1}'))
    assert_problem(plain, 422, "request_invalid")
    assert_problem(marked, 422, "request_invalid")


def test_a_compressed_body_is_415_wherever_a_body_is_read(app: Get, register: Get) -> None:
    person = register()
    document = app("GET", "/api/v1/openapi.json").json()
    writes = [
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if "requestBody" in operation and "x-required-role" not in operation
    ]
    assert len(writes) > len(JSON_OPERATIONS)
    for method, path in writes:
        media_type = "image/png" if path.endswith("/avatar") else "application/json"
        headers = {"Content-Type": media_type, "Content-Encoding": "gzip"}
        path = re.sub(r"\{\w+\}", "1", path)
        answer = app(method, path, data=gzip.compress(b"{}"), headers=headers, token=person.access_token)
        assert_problem(answer, 415, "content_encoding_unsupported")


def test_every_read_ignores_unknown_parameters(app: Get, register: Get) -> None:
    person = register()
    article = app("GET", "/api/v1/news").json()["items"][0]["id"]
    document = app("GET", "/api/v1/openapi.json").json()
    # A proxy in front asks at /auth: an unknown parameter there would be a door left open.
    templates = [path for path, operations in document["paths"].items() if "get" in operations and path != "/auth"]
    assert len(templates) > 10
    for template in [*templates, "/", "/inbox", "/docs"]:
        path = re.sub(r"\{\w+\}", str(article if "/news/" in template else person.user["id"]), template)
        plain, busted = (app("GET", path + query, token=person.access_token) for query in ("", "?_=1700000000000&x"))
        assert (busted.status_code, busted.headers["Content-Type"]) == (
            plain.status_code,
            plain.headers["Content-Type"],
        ), path
    assert app("GET", "/api/v1/news?_=1700000000000").status_code == 200
    assert_problem(app("GET", "/api/v1/news?limit=abc&_=1"), 422, "request_invalid")


@pytest.mark.parametrize("path", JSON_OPERATIONS)
@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
def test_another_media_type_is_unsupported(app: Get, path: str, media_type: str) -> None:
    answer = app("POST", path, data=b"{}", headers={"Content-Type": media_type})
    assert_problem(answer, 415, "media_type_unsupported")


def test_every_wrong_field_is_named_and_no_value_repeated(app: Get) -> None:
    body = {"mobile": 5, "purpose": "secret-value", "captcha_text": None, "extra": "secret-value"}
    answer = app("POST", "/api/v1/sms-codes", json=body)
    assert_problem(answer, 422, "request_invalid")
    fields = {wrong["field"] for wrong in answer.json()["errors"]}
    assert fields >= {"mobile", "purpose", "captcha_id", "captcha_text", "extra"}
    assert "secret-value" not in answer.text


def test_a_body_over_a_megabyte_is_refused_before_it_is_sent(raw: Get) -> None:
    answer = raw("POST", "/api/v1/captchas", {"Content-Type": "application/json"}, body=1024 * 1024 + 1)
    assert (answer.status, answer.headers["content-type"]) == (413, PROBLEM)
    assert json.loads(answer.body)["code"] == "body_too_large"


def test_a_body_over_a_megabyte_is_an_errno_on_a_classic_route(raw: Get) -> None:
    answer = raw("POST", "/passport/register", {"Content-Type": "application/json"}, body=1024 * 1024 + 1)
    assert answer.status == 200
    assert json.loads(answer.body)["errno"] == "4103"


def broken_logins(stack: Any) -> list[str]:
    """The counts of user-service for requests that were cut off or late."""
    broken = re.compile(r'http_requests_total.*route="(/api/v1/sessions|unreadable)".*status="(400|408)"')
    return [line for line in stack.metrics("user-service").splitlines() if broken.match(line)]


def test_silent_uploads_stop_nobody_and_do_not_reach_the_service(
    stack: Any, app: Get, register: Get, texted_code: Get, new_mobile: Get
) -> None:
    person, before = register(), broken_logins(stack)
    head = b"POST /api/v1/sessions HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 900000"
    host, _, port = stack.url.removeprefix("http://").partition(":")
    with ExitStack() as uploads:
        for _ in range(40):
            upload = uploads.enter_context(socket.create_connection((host, int(port)), timeout=20))
            upload.sendall(head + b"\r\n\r\n" + b"a" * 70_000)
        login = {"mobile": person.mobile, "password": person.password}
        assert app("POST", "/api/v1/sessions", json=login).status_code == 201
        assert texted_code(new_mobile())  # A captcha, a code and its text.
    assert app("POST", "/api/v1/sessions", json=login).status_code == 201
    assert broken_logins(stack) == before


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/api/v2/news", "/api", "/nothing", "/news_lists", "/metrics", "/.env"]
)
def test_an_unknown_path_is_a_404_problem(app: Get, path: str) -> None:
    assert_problem(app("GET", path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/api/v1/captchas", "POST"), ("DELETE", "/api/v1/news", "GET"), ("POST", "/api/v1/search", "GET")],
)
def test_a_wrong_method_is_a_405_problem_that_names_the_right_one(
    app: Get, method: str, path: str, allowed: str
) -> None:
    answer = app(method, path)
    assert_problem(answer, 405, "method_not_allowed")
    assert allowed in answer.headers["Allow"]


@pytest.mark.parametrize(
    "target",
    [
        f"/{ATTEMPT}",
        f"//{ATTEMPT}",
        f"///{ATTEMPT}",
        f"/./{ATTEMPT}",
        f"/.//{ATTEMPT}",
        f"/%2e/{ATTEMPT}",
        f"/x/../{ATTEMPT}",
        f"/x/%2e%2e/{ATTEMPT}",
        f"/x/..%2f{ATTEMPT}",
        f"/api/v1/../../{ATTEMPT}",
        f"/api/v1/%2e%2e/%2E%2E/{ATTEMPT}",
        f"/api/v1/captchas/..;/..;/..;/{ATTEMPT}",
        f"/static/../{ATTEMPT}",
        f"/static/..%2f{ATTEMPT}",
        f"/static/%252e%252e/{ATTEMPT}",
        f"/%2f{ATTEMPT}",
        f"/%5c{ATTEMPT}",
        f"/\\{ATTEMPT}",
        f"/INTERNAL{ATTEMPT.removeprefix('internal')}",
        f"/%69nternal{ATTEMPT.removeprefix('internal')}",
        f"/%2569nternal{ATTEMPT.removeprefix('internal')}",
        f"/internal;x{ATTEMPT.removeprefix('internal')}",
        f"/internal%2f{ATTEMPT.removeprefix('internal/')}",
        f"/internal%00/{ATTEMPT.removeprefix('internal/')}",
        f"/%ef%bd%89nternal{ATTEMPT.removeprefix('internal')}",
        f"http://127.0.0.1/{ATTEMPT}",
        f"http://captcha-service:8000/{ATTEMPT}",
    ],
)
def test_no_spelling_leads_to_an_internal_route(raw: Get, target: str) -> None:
    headers = {"Content-Type": "application/json", "X-Internal-Token": "x"}
    answer = raw("POST", target, headers, body=b'{"text": "x"}')
    assert answer.status in (400, 404)
    assert answer.headers["content-type"] == PROBLEM
    assert json.loads(answer.body)["code"] in ("request_refused", "not_found")


@pytest.mark.parametrize(
    "name",
    ["X-Internal-Token", "x-internal-token", "X-User-Id", "X-Forwarded-User", "X-Internal-User", "X-Session-Id"],
)
def test_a_claimed_identity_is_ignored(app: Get, register: Get, name: str) -> None:
    person = register()
    claimed = {name: str(person.user["id"])}
    assert_problem(app("GET", "/api/v1/users/me", headers=claimed), 401, "unauthenticated")
    me = app("GET", "/api/v1/users/me", headers=claimed | {name: "1"}, token=person.access_token)
    assert me.json()["id"] == person.user["id"]


def test_a_token_of_the_services_opens_nothing_outside(app: Get, register: Get) -> None:
    person = register()
    answer = app("GET", "/api/v1/users/me", headers={"X-Internal-Token": person.access_token})
    assert answer.status_code == 401


def test_a_request_id_is_kept_and_an_unusable_one_replaced(app: Get) -> None:
    assert app("GET", "/api/v1/nothing", headers={"X-Request-Id": "journey-1"}).json()["request_id"] == "journey-1"
    replaced = app("GET", "/api/v1/nothing", headers={"X-Request-Id": "no spaces please"})
    assert replaced.json()["request_id"] not in ("", "no spaces please")


def test_the_document_and_its_page_need_nothing_from_elsewhere(app: Get) -> None:
    document = app("GET", "/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert "/api/v1/sms-codes" in document["paths"]
    assert not [path for path in document["paths"] if "internal" in path]
    page = app("GET", "/docs", allow_redirects=True)
    assert page.status_code == 200
    assert "https://" not in page.text
