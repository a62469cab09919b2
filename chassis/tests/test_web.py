from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
import svcs
from flask import Flask
from flask.testing import FlaskClient
from flask_openapi3 import OpenAPI
from pydantic import BaseModel, ConfigDict

from chassis.identity import INTERNAL_TOKEN_HEADER, Caller, InternalTokens
from chassis.service_client import ServiceClient
from chassis.web import Access, create_api, endpoint, install_health, openapi_document

SERVICE = "news-service"
Headers = Callable[..., dict[str, str]]


@pytest.fixture
def status_for(client: FlaskClient) -> Callable[[str, dict[str, str]], tuple[int, str]]:
    def ask(path: str, headers: dict[str, str]) -> tuple[int, str]:
        answer = client.get(path, headers=headers)
        return answer.status_code, (answer.json or {}).get("code", "")

    return ask


Ask = Callable[[str, dict[str, str]], tuple[int, str]]
GUARDED = ["/public", "/optional", "/signed-in", "/editor", "/admin", "/internal/things"]


def test_an_open_route_asks_for_nothing(status_for: Ask) -> None:
    assert status_for("/open", {}) == (200, "")


@pytest.mark.parametrize("path", GUARDED)
def test_every_other_route_asks_for_an_internal_token(status_for: Ask, path: str) -> None:
    assert status_for(path, {}) == (401, "internal_token_refused")


@pytest.mark.parametrize(
    ("path", "statuses"),  # For nobody, a user, an editor, an administrator, another service.
    [
        ("/public", [200, 200, 200, 200, 403]),
        ("/optional", [200, 200, 200, 200, 403]),
        ("/signed-in", [401, 200, 200, 200, 403]),
        ("/editor", [401, 403, 200, 200, 403]),
        ("/admin", [401, 403, 403, 200, 403]),
        ("/internal/things", [403, 403, 403, 403, 200]),
    ],
)
def test_each_kind_of_route_lets_in_its_own(
    status_for: Ask, called_by: Headers, path: str, statuses: list[int]
) -> None:
    callers = (
        called_by(SERVICE),
        called_by(SERVICE, user_id=1, roles=frozenset({"shop:editor"})),
        called_by(SERVICE, user_id=1, roles=frozenset({"editor"})),
        called_by(SERVICE, user_id=1, roles=frozenset({"admin"})),
        called_by(SERVICE, "sms-service"),
    )
    assert [status_for(path, headers)[0] for headers in callers] == statuses


def test_a_signed_out_user_and_a_wrong_service_are_told_apart(status_for: Ask, called_by: Headers) -> None:
    assert status_for("/signed-in", called_by(SERVICE))[1] == "unauthenticated"
    assert status_for("/admin", called_by(SERVICE, user_id=1))[1] == "forbidden"
    assert status_for("/signed-in", called_by(SERVICE, "sms-service"))[1] == "service_refused"
    assert status_for("/internal/things", called_by(SERVICE, "user-service"))[1] == "service_refused"


def test_a_view_learns_who_calls(client: FlaskClient, called_by: Headers) -> None:
    assert client.get("/optional", headers=called_by(SERVICE)).json == {"user": None}
    assert client.get("/signed-in", headers=called_by(SERVICE, user_id=7)).json == {"user": 7}


def test_every_401_names_a_scheme(client: FlaskClient, called_by: Headers) -> None:
    for headers in ({}, called_by(SERVICE)):
        answer = client.get("/signed-in", headers=headers)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_a_view_without_access_is_refused(status_for: Ask, called_by: Headers) -> None:
    assert status_for("/nobody-said-who", called_by(SERVICE, user_id=1))[0] == 403


def test_no_read_can_refuse_unknown_parameters(api: OpenAPI) -> None:
    class Query(BaseModel):
        model_config = ConfigDict(extra="forbid")

    def view(query: Query) -> dict[str, Any]:
        return {}

    with pytest.raises(TypeError, match="unknown parameters"):
        endpoint(api, "GET", "/strict", access=Access.PUBLIC)(view)
    endpoint(api, "DELETE", "/strict", access=Access.PUBLIC)(view)


def test_no_request_makes_the_schema_of_its_query(api: OpenAPI, called_by: Headers) -> None:
    made: list[object] = []

    class Query(BaseModel):
        ids: list[int]

        @classmethod
        def model_json_schema(cls, *arguments: Any, **options: Any) -> dict[str, Any]:
            made.append(options)
            return super().model_json_schema(*arguments, **options)

    @endpoint(api, "GET", "/counted", access=Access.PUBLIC)
    def counted(query: Query) -> dict[str, Any]:
        """Answer the query."""
        return {"ids": query.ids}

    at_start = len(made)
    answer = api.test_client().get("/counted?ids=1&ids=2", headers=called_by(SERVICE))
    assert (answer.json, len(made)) == ({"ids": [1, 2]}, at_start)


def test_a_query_that_is_made_from_another_one_is_read_by_its_own_schema(api: OpenAPI, called_by: Headers) -> None:
    class Page(BaseModel):
        limit: int = 10

    class NamedPage(Page):
        name: str

    @endpoint(api, "GET", "/pages", access=Access.PUBLIC)
    def pages(query: Page) -> dict[str, Any]:
        """Answer the query."""
        return query.model_dump()

    @endpoint(api, "GET", "/named-pages", access=Access.PUBLIC)
    def named_pages(query: NamedPage) -> dict[str, Any]:
        """Answer the query."""
        return query.model_dump()

    client, headers = api.test_client(), called_by(SERVICE)
    assert client.get("/pages?limit=2", headers=headers).json == {"limit": 2}
    assert client.get("/named-pages?name=x", headers=headers).json == {"limit": 10, "name": "x"}


@pytest.mark.parametrize(
    "token",
    [
        "",
        "not-a-token",
        "é",
        InternalTokens("another key of at least 32 bytes!").write_token(Caller("gateway"), audience=SERVICE),
        InternalTokens("a key of the tests, never used elsewhere").write_token(
            Caller("gateway"), audience="user-service"
        ),
    ],
)
def test_a_wrong_token_is_refused(status_for: Ask, token: str) -> None:
    assert status_for("/public", {INTERNAL_TOKEN_HEADER: token}) == (401, "internal_token_refused")


def test_an_offered_request_id_is_kept(client: FlaskClient) -> None:
    answer = client.get("/open", headers={"X-Request-Id": "abc-123"})
    assert answer.headers["X-Request-Id"] == "abc-123"


@pytest.mark.parametrize("offered", ["", "a b", 'x"y', "x" * 129, "<script>", "名", "a,b"])
def test_a_missing_or_hostile_request_id_is_replaced(client: FlaskClient, offered: str) -> None:
    made = client.get("/open", headers={"X-Request-Id": offered}).headers["X-Request-Id"]
    assert len(made) == 32
    assert int(made, 16)


def test_two_requests_have_two_ids(client: FlaskClient) -> None:
    first, second = (client.get("/open").headers["X-Request-Id"] for _ in range(2))
    assert first != second


def test_a_process_is_alive_whatever_its_parts_say(api: OpenAPI, client: FlaskClient) -> None:
    svcs.flask.register_value(api, ServiceClient, object(), ping=fail)
    assert client.get("/healthz").json == {"status": "up"}


def fail(_part: Any) -> None:
    raise RuntimeError("the password is hunter2")


def test_a_service_is_ready_when_its_parts_answer(api: OpenAPI, client: FlaskClient) -> None:
    svcs.flask.register_value(api, dict, {}, ping=lambda _part: None)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json) == (200, {"status": "ready", "checks": {"builtins.dict": "up"}})


def test_one_part_that_fails_makes_a_service_unready(api: OpenAPI, client: FlaskClient) -> None:
    svcs.flask.register_value(api, dict, {}, ping=lambda _part: None)
    svcs.flask.register_value(api, list, [], ping=fail)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json == {"status": "not ready", "checks": {"builtins.dict": "up", "builtins.list": "down"}}


def test_a_remark_makes_nothing_unready() -> None:
    app = Flask(__name__)
    svcs.flask.init_app(app)
    install_health(app, lambda: {"proxies": "one is unknown"})
    answer = app.test_client().get("/readyz")
    expected = {"status": "ready", "checks": {}, "remarks": {"proxies": "one is unknown"}}
    assert (answer.status_code, answer.json) == (200, expected)


def test_one_line_tells_of_a_request_and_none_of_a_health_check(client: FlaskClient, called_by: Headers) -> None:
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        client.get("/public", headers=called_by(SERVICE) | {"X-Forwarded-For": "203.0.113.9", "X-Request-Id": "one"})
        client.get("/internal/things", headers=called_by(SERVICE, "sms-service") | {"X-Request-Id": "two"})
        client.get("/healthz", headers={"X-Request-Id": "three"})
        client.head("/readyz", headers={"X-Request-Id": "four"})
    told = [(line["event"], line["request_id"], line["route"], line.get("client_ip")) for line in lines]
    assert told == [("request", "one", "/public", "203.0.113.9"), ("request", "two", "/internal/things", None)]


def test_a_service_that_is_away_makes_a_service_unready(
    api: OpenAPI, client: FlaskClient, internal_tokens: InternalTokens, free_port: Callable[[], int]
) -> None:
    away = ServiceClient(f"http://127.0.0.1:{free_port()}", name="a", own_name="b", tokens=internal_tokens)
    svcs.flask.register_value(api, ServiceClient, away, ping=ServiceClient.is_up)
    assert client.get("/readyz").status_code == 503


def test_static_files_are_public(tmp_path: Path, internal_tokens: InternalTokens, called_by: Headers) -> None:
    (tmp_path / "site.css").write_text("body {}")
    app = create_api(
        "chassis",
        service=SERVICE,
        tokens=internal_tokens,
        metrics_port=9100,
        static_folder=str(tmp_path),
        static_url_path="/static",
    )
    client = app.test_client()
    with client.get("/static/site.css", headers=called_by(SERVICE)) as answer:
        assert (answer.data, answer.headers["X-Content-Type-Options"]) == (b"body {}", "nosniff")
    assert client.get("/static/site.css").status_code == 401
    assert client.get("/static/../web.py", headers=called_by(SERVICE)).status_code == 404


def test_the_document_names_access_failures_and_one_problem(api: OpenAPI) -> None:
    document = openapi_document(api)
    operation = document["paths"]["/articles"]["post"]
    assert (operation["operationId"], operation["summary"]) == ("write_article", "Write an article.")
    assert operation["x-access"] == Access.UNAUTHENTICATED
    assert {status: answer["description"] for status, answer in operation["responses"].items()} == {
        "201": "Created",
        "409": "`mobile_taken`",
        "422": "`request_invalid`",
        "500": "`internal_error`",
    }
    assert "401" in document["paths"]["/signed-in"]["get"]["responses"]
    assert document["components"]["schemas"]["Problem"]["properties"]["errors"]["items"] == {
        "$ref": "#/components/schemas/WrongField"
    }


def test_the_document_is_for_the_gateway(client: FlaskClient, called_by: Headers) -> None:
    assert client.get("/internal/openapi.json", headers=called_by(SERVICE)).status_code == 200
    assert client.get("/internal/openapi.json", headers=called_by(SERVICE, "sms-service")).status_code == 403
