import gzip
from typing import Any

import pytest
from flask import Flask, Response, abort
from flask.testing import FlaskClient
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from chassis.errors import DependencyUnavailable
from chassis.problems import install_problems

JSON = {"Content-Type": "application/json"}


def assert_problem(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    body: dict[str, Any] = answer.json or {}
    assert set(body) == {"type", "title", "status", "detail", "code", "errno", "errmsg", "request_id", "errors"}
    assert (body["status"], body["code"], body["type"]) == (status, code, "about:blank")
    assert body["request_id"] == answer.headers["X-Request-Id"]
    assert answer.headers["Cache-Control"] == "no-store"
    return body


def test_an_unknown_address_is_404(client: FlaskClient) -> None:
    body = assert_problem(client.get("/nothing"), 404, "not_found")
    assert (body["errno"], body["errmsg"]) == ("4002", "无数据")


def test_a_wrong_method_is_405_and_names_the_right_ones(client: FlaskClient) -> None:
    answer = client.delete("/articles")
    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "OPTIONS, POST"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b"null",
        b'"{\\"title\\": \\"t\\", \\"price\\": 1}"',
        b'{"title": "t", "price": NaN}',
        b'{"title": "t", "price": -Infinity}',
        b'{"title": "t", "price": 1, "price": 2}',
        b'{"title": "\\ud800", "price": 1}',
        b'{"title": "a\\u0000b", "price": 1}',
        b'{"title": "\xff", "price": 1}',
        b"[" * 100_000,
        b'{"title": "t", "price": ' + b"1" * 5000 + b"}",
        '{"title": "t", "price": 1}'.encode("utf-16"),
    ],
    ids=lambda body: repr(body[:40]),
)
def test_what_is_not_one_json_object_is_400(client: FlaskClient, body: bytes) -> None:
    assert_problem(client.post("/articles", data=body, headers=JSON), 400, "body_malformed")


@pytest.mark.parametrize("title", ['"\\u65b0\\u95fb"', '"\\ud83d\\ude00"', '"\\\\u0000"'])
def test_escapes_that_are_texts_are_taken(client: FlaskClient, title: str) -> None:
    answer = client.post("/articles", data=f'{{"title": {title}, "price": 1}}', headers=JSON)
    assert answer.status_code == 201


def test_answers_hold_chinese_as_it_is(client: FlaskClient) -> None:
    assert "新闻" in client.post("/articles", json={"title": "新闻", "price": 1}).text


def test_a_byte_order_mark_before_the_object_is_ignored(client: FlaskClient) -> None:
    body = b'\xef\xbb\xbf{"title": "t", "price": 1}'
    assert client.post("/articles", data=body, headers=JSON).status_code == 201
    assert_problem(client.post("/articles", data=b"\xef\xbb\xbf" + body, headers=JSON), 400, "body_malformed")


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip", "GZIP", "x"])
def test_a_compressed_body_is_415_and_says_so(client: FlaskClient, coding: str) -> None:
    headers = JSON | {"Content-Encoding": coding}
    answer = client.post("/articles", data=gzip.compress(b'{"title": "t", "price": 1}'), headers=headers)
    body = assert_problem(answer, 415, "content_encoding_unsupported")
    assert "Content-Encoding" in body["detail"]
    assert answer.headers["Accept-Encoding"] == "identity"


def test_the_coding_that_changes_nothing_is_taken(client: FlaskClient) -> None:
    assert client.get("/articles/1", headers={"Content-Encoding": "gzip"}).status_code == 200  # Of no body.
    headers = JSON | {"Content-Encoding": "identity"}
    assert client.post("/articles", data=b'{"title": "t", "price": 1}', headers=headers).status_code == 201


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_media_type_is_415(client: FlaskClient, content_type: str) -> None:
    answer = client.post("/articles", data=b'{"title": "t"}', headers={"Content-Type": content_type})
    assert_problem(answer, 415, "media_type_unsupported")


def test_a_body_over_one_mebibyte_is_413(client: FlaskClient) -> None:
    answer = client.post("/articles", data=b" " * (1024 * 1024 + 1), headers=JSON)
    assert_problem(answer, 413, "body_too_large")


def test_redirects_and_ready_responses_are_no_problems() -> None:
    app = Flask("x")
    install_problems(app)
    app.add_url_rule("/folder/", view_func=lambda: "", endpoint="folder")
    app.add_url_rule("/ready", view_func=lambda: abort(Response("as it is", 409)), endpoint="ready")
    client = app.test_client()
    assert (client.get("/folder").status_code, client.get("/folder").location) == (308, "http://localhost/folder/")
    assert (client.get("/ready").status_code, client.get("/ready").text) == (409, "as it is")


def test_all_wrong_fields_are_named_without_their_values(client: FlaskClient) -> None:
    answer = client.post("/articles", json={"title": "hunter2-hunter2", "price": -1, "colour": "hunter2"})
    body = assert_problem(answer, 422, "request_invalid")
    assert [(error["field"], error["code"]) for error in body["errors"]] == [
        ("title", "string_too_long"),
        ("price", "greater_than_equal"),
        ("colour", "extra_forbidden"),
    ]
    assert "hunter2" not in answer.text


@pytest.mark.parametrize("query", ["_=1700000000000", "limit=7&utm_source=x", "limit=7&limits=8"])
def test_unknown_parameters_of_a_read_are_ignored(client: FlaskClient, query: str) -> None:
    assert client.get(f"/articles/1?{query}").status_code == 200


def test_a_wrong_path_or_query_is_422(client: FlaskClient) -> None:
    path, query = client.get("/articles/one"), client.get("/articles/1?limit=0")
    assert assert_problem(path, 422, "request_invalid")["errors"][0]["field"] == "article_id"
    assert assert_problem(query, 422, "request_invalid")["errors"][0]["field"] == "limit"


@pytest.mark.parametrize("address", ["/articles/1?limit=%00", "/articles/%00"])
def test_an_address_with_a_nul_is_refused(client: FlaskClient, address: str) -> None:
    assert_problem(client.get(address), 400, "request_refused")


def test_a_flood_of_wrong_fields_gets_a_short_answer(client: FlaskClient) -> None:
    answer = client.post("/articles", json={f"f{number}": 0 for number in range(10_000)})
    assert len(assert_problem(answer, 422, "request_invalid")["errors"]) == 100


def test_an_unexpected_exception_is_500_without_its_text(client: FlaskClient) -> None:
    answer = client.get("/failures/unexpected")
    assert_problem(answer, 500, "internal_error")
    assert "hunter2" not in answer.text


@pytest.mark.parametrize(
    ("name", "logged"),
    [
        ("unexpected", [("unexpected_error", None, RuntimeError)]),
        ("away", [("request_failed", "service_unavailable", DependencyUnavailable)]),
        ("limited", []),
        ("taken", []),
    ],
)
def test_a_failure_of_the_service_is_logged_with_its_cause_and_a_mistake_of_a_client_is_not(
    client: FlaskClient, name: str, logged: list[Any]
) -> None:
    with capture_logs() as lines:
        client.get(f"/failures/{name}")
    failures = [line for line in lines if line["log_level"] == "error"]
    assert [(line["event"], line.get("code"), type(line["exc_info"])) for line in failures] == logged


@pytest.mark.parametrize(
    ("name", "status", "seconds"),
    [
        ("broken", 502, "5"),
        ("late", 504, "5"),
        ("away", 503, "5"),
        ("away-long", 503, "17"),
        ("now", 429, "1"),
        ("limited", 429, "5"),
    ],
)
def test_what_passes_by_itself_says_when_to_come_back(
    client: FlaskClient, name: str, status: int, seconds: str
) -> None:
    answer = client.get(f"/failures/{name}")
    assert (answer.status_code, answer.headers["Retry-After"]) == (status, seconds)


def test_what_stays_wrong_does_not_invite_back(client: FlaskClient) -> None:
    answer = client.get("/failures/taken")
    assert_problem(answer, 409, "mobile_taken")
    assert "Retry-After" not in answer.headers


def test_a_401_names_the_scheme(client: FlaskClient) -> None:
    assert client.get("/failures/signed-out").headers["WWW-Authenticate"] == "Bearer"
