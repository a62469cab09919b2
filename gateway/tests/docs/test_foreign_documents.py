import json
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from chassis.errors import DependencyUnavailable, UpstreamTimeout, UpstreamUnavailable, XinjingError
from chassis.web import Access
from gateway.docs.additions import Additions
from gateway.docs.foreign_documents import MOST_BYTES, ForeignDocument
from gateway.docs.openapi import merge
from gateway.routing.rules import Limit, Rule, RuleTable
from gateway.upstreams.upstream import Timeouts, Upstream

TABLE = RuleTable(
    (),
    [
        Rule("GET", "/orders/**", "orders", Access.SIGNED_IN),
        Rule("GET", "/orders", "orders", Access.OPTIONAL),
        Rule("POST", "/orders", "orders", Access.PUBLIC),
        Rule("GET", "/shop", "shop", Access.PUBLIC),
    ],
)
OK = {"200": {"description": "OK"}}
Fetch = Callable[..., dict[str, Any]]


@pytest.fixture
def fetch(start_stub: Callable[..., Any], answering: Callable[..., bytes]) -> Fetch:
    """Fetch what a service answers, as bytes or as a value, and check that it is valid in the whole document."""
    stub = start_stub()

    def get(answer: Any) -> dict[str, Any]:
        if isinstance(answer, dict):
            body = json.dumps({"openapi": "3.1.0", "info": {"title": "", "version": ""}, **answer}).encode()
            answer = answering("200 OK", body, "Content-Type: application/json")
        stub.on("GET", "/openapi.json", answer)
        upstream = Upstream("orders", [stub.url], timeouts=Timeouts(connect=1, read=10, body=10))
        try:
            document = ForeignDocument(upstream, "/openapi.json", TABLE).fetch()
        finally:
            upstream.close()
        additions = Additions(limits=dict.fromkeys(Limit, 1), session_cookie="xinjing_at")
        merged = merge({"orders": document}, TABLE, additions)
        assert list(OpenAPIV31SpecValidator(merged).iter_errors()) == []
        assert {"authorization", "cookie", "x-internal-token", "x-identity"} & stub.last.names() == set()
        return document

    return get


def operation_of(document: dict[str, Any]) -> Any:
    return document["paths"]["/orders"]["get"]


def test_only_operations_that_a_route_reaches_are_taken(fetch: Fetch) -> None:
    item = {key: {"responses": OK} for key in ("get", "post", "delete", "trace")}
    paths = [
        "/orders",
        "/orders/{id}/lines",
        "/shop",
        "/internal/x",
        "/orders/../shop",
        "/orders/{a}/{a}",
        "orders",
        "/",
    ]
    found = fetch({"paths": dict.fromkeys(paths, item) | {"/orders/none": None, "x-y": 1}})["paths"]
    assert {path: list(operations) for path, operations in found.items()} == {
        "/orders": ["get", "post"],
        "/orders/{id}/lines": ["get"],
    }


def test_schemas_come_under_the_name_of_the_service_and_only_those_that_are_needed(fetch: Fetch) -> None:
    def body(name: str) -> dict[str, Any]:
        return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}}

    schemas = {
        "Order": {"type": "object", "properties": {"lines": {"items": {"$ref": "#/components/schemas/Line"}}}},
        "Line": {"anyOf": [{"$ref": "#/components/schemas/Order"}, True]},
        "Secret": {"type": "object"},
        "Broken": {"type": "nothing"},
    }
    operation = {"responses": {"200": {"description": "OK", **body("Order")}}}
    document = fetch({"paths": {"/orders": {"get": operation}}, "components": {"schemas": schemas}})
    found = document["components"]["schemas"]
    assert list(found) == ["orders_Order", "orders_Line"]
    assert found["orders_Line"]["anyOf"] == [{"$ref": "#/components/schemas/orders_Order"}, True]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "string", "nullable": False}, {"type": "string"}),
        ({"type": "string", "nullable": True, "enum": ["a"]}, {"type": ["string", "null"], "enum": ["a", None]}),
        (
            {"allOf": [{"type": "string"}], "nullable": True},
            {"anyOf": [{"allOf": [{"type": "string"}]}, {"type": "null"}]},
        ),
        ({"minimum": 1, "exclusiveMinimum": True}, {"exclusiveMinimum": 1}),
        ({"maximum": 2.5, "exclusiveMaximum": False}, {"maximum": 2.5}),
        ({"exclusiveMinimum": 3}, {"exclusiveMinimum": 3}),
        ({"type": "string", "example": "a"}, {"type": "string", "examples": ["a"]}),
        ({"properties": {"nullable": {"example": 1}}}, {"properties": {"nullable": {"examples": [1]}}}),
        ({"title": None, "default": None}, {"default": None}),
        ({"xml": {}, "x-a": 1, "externalDocs": {"url": "javascript:1"}, "$id": "http://a", "not": {}}, {"not": {}}),
        ({"$ref": "https://evil.example/s.json"}, {}),
        ({"$ref": "other.json#/components/schemas/A"}, {}),
        ({"$ref": "#/components/schemas/Missing", "title": "A"}, {"title": "A"}),
        ({"$ref": "#/components/schemas/../../info"}, {}),
    ],
)
def test_a_schema_is_written_as_3_1_says_and_leads_nowhere_else(
    fetch: Fetch, written: dict[str, Any], read: dict[str, Any]
) -> None:
    parameter = {"name": "a", "in": "query", "schema": written}
    document = fetch({"openapi": "3.0.3", "paths": {"/orders": {"get": {"parameters": [parameter], "responses": OK}}}})
    assert operation_of(document)["parameters"] == [{"name": "a", "in": "query", "schema": read}]


def test_what_the_gateway_demands_replaces_what_the_service_says(fetch: Fetch) -> None:
    operation = {
        "responses": OK,
        "summary": "List",
        "servers": [{"url": "https://evil.example"}],
        "security": [{"own": []}],
        "callbacks": {"a": {"https://evil.example": {}}},
        "externalDocs": {"url": "https://evil.example"},
        "tags": ["users"],
        "x-required-role": "none",
    }
    schemes = {"own": {"type": "oauth2", "flows": {}}}
    document = fetch(
        {
            "paths": {"/orders": {"servers": operation["servers"], "get": operation}},
            "servers": operation["servers"],
            "components": {"securitySchemes": schemes},
        }
    )
    assert operation_of(document) == {"summary": "List", "parameters": [], "responses": OK}
    assert list(document["components"]) == ["schemas"]


def test_parameters_are_those_of_the_path_and_those_that_a_client_may_send(fetch: Fetch) -> None:
    schema = {"schema": {"type": "integer"}}
    own = [
        {"name": "id", "in": "path", "required": False, **schema},
        {"name": "other", "in": "path", **schema},
        {"name": "page", "in": "query", "style": "simple", "explode": False, **schema},
        *({"name": name, "in": "header", **schema} for name in ("X-Identity", "Authorization", "x-user-id", "X-Shop")),
        {"$ref": "#/components/parameters/limit"},
    ]
    item = {
        "parameters": [{"name": "page", "in": "query", "schema": True}],
        "get": {"parameters": own, "responses": OK},
    }
    limit = {"name": "limit", "in": "query", **schema}
    document = fetch({"paths": {"/orders/{id}/{line}": item}, "components": {"parameters": {"limit": limit}}})
    assert document["paths"]["/orders/{id}/{line}"]["get"]["parameters"] == [
        {"name": "id", "in": "path", "required": True, **schema},
        {"name": "line", "in": "path", "required": True, "schema": {"type": "string"}},
        {"name": "page", "in": "query", "explode": False, **schema},
        {"name": "X-Shop", "in": "header", **schema},
        limit,
    ]


def test_two_operations_never_have_one_name(fetch: Fetch) -> None:
    operation = {"operationId": "same", "responses": OK}
    document = fetch({"paths": {"/orders": {"get": operation}, "/orders/1": {"get": operation}}})
    assert [operations["get"].get("operationId") for operations in document["paths"].values()] == ["same", None]


def test_no_member_becomes_the_prototype_of_an_object(fetch: Fetch, answering: Callable[..., bytes]) -> None:
    schema = '{"properties": {"__proto__": {"type": "string"}, "a": {"default": {"__proto__": 1}}}}'
    operation = f'{{"parameters": [{{"name": "a", "in": "query", "schema": {schema}}}], "responses": {{}}}}'
    text = f'{{"openapi": "3.1.0", "paths": {{"/orders": {{"get": {operation}}}}}}}'
    document = fetch(answering("200 OK", text.encode(), "Content-Type: application/vnd.oai.openapi+json;version=3.1"))
    assert operation_of(document)["parameters"][0]["schema"] == {"properties": {"a": {"default": {}}}}


def nonsense(**operation: Any) -> bytes:
    return json.dumps({"openapi": "3.1.0", "paths": {"/orders": {"get": operation}}}).encode()


def in_query(**parameter: Any) -> bytes:
    return nonsense(parameters=[{"name": "a", "in": "query", **parameter}])


DEEP = (
    b'{"openapi": "3.1.0", "paths": {"/orders": {"get": {"parameters": [{"name": "a", "in": "query", "schema": %s}]}}}}'
)
WRONG = {
    "html": b"<!doctype html>",
    "list": b"[]",
    "2.0": b'{"swagger": "2.0", "paths": {}}',
    "3.2": b'{"openapi": "3.2.0", "paths": {}}',
    "no-text": b"\xff\xfe",
    "paths": b'{"openapi": "3.1.0", "paths": []}',
    "operation": nonsense(parameters={}),
    "shared-parameters": b'{"openapi": "3.1.0", "paths": {"/orders": {"parameters": 7, "get": {}}}}',
    "type": in_query(schema={"type": "banana"}),
    "number": in_query(schema={"maxLength": -1}),
    "no-schema": in_query(),
    "status": nonsense(responses={"200; drop": {}}),
    "reference": nonsense(parameters=[{"$ref": "https://evil.example/p.json"}]),
    "dangling": nonsense(responses={"200": {"$ref": "#/components/responses/A"}}),
    "infinite": in_query(schema={}).replace(b"{}", b'{"default": 1e999}'),
    "nan": in_query(schema={}).replace(b"{}", b'{"default": NaN}'),
    "surrogate": in_query(schema={}).replace(b"{}", rb'{"default": "\ud800"}'),
    "deep": DEEP % (b'{"not":' * 3000 + b"{}" + b"}" * 3000),
    "deep-json": b"[" * 200_000,
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_nonsense_is_refused(fetch: Fetch, answering: Callable[..., bytes], text: bytes) -> None:
    with pytest.raises(UpstreamUnavailable):
        fetch(answering("200 OK", text, "Content-Type: application/json"))


def test_a_document_is_bounded_also_after_its_references_are_followed(
    fetch: Fetch, answering: Callable[..., bytes]
) -> None:
    with pytest.raises(UpstreamUnavailable):
        fetch({"paths": {}, "info": "x" * MOST_BYTES})
    responses = {str(status): {"$ref": "#/components/responses/big"} for status in range(200, 599)}
    components = {"responses": {"big": {"description": "x" * 100_000}}}
    with pytest.raises(UpstreamUnavailable, match="no OpenAPI document"):
        fetch({"paths": {"/orders": {"get": {"responses": responses}}}, "components": components})


def drip(connection: socket.socket) -> None:
    """Send a byte from time to time, until nobody listens."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.2)


def test_who_answers_something_else_or_too_slowly_has_no_document(
    fetch: Fetch, answering: Callable[..., bytes]
) -> None:
    refused: list[tuple[Any, type[XinjingError]]] = [
        (answering("302 Found", b"", "Location: /elsewhere", "Content-Type: application/json"), UpstreamUnavailable),
        (answering("404 Not Found", b"{}", "Content-Type: application/json"), UpstreamUnavailable),
        (answering("200 OK", nonsense(), "Content-Type: text/html"), UpstreamUnavailable),
        (answering("200 OK", nonsense()), UpstreamUnavailable),
        (drip, UpstreamTimeout),
    ]
    for answer, error in refused:
        with pytest.raises(error):
            fetch(answer)


def test_a_service_that_does_not_run_has_no_document() -> None:
    upstream = Upstream("orders", ["http://127.0.0.1:1"], timeouts=Timeouts(connect=1, read=1, body=1))
    with pytest.raises(DependencyUnavailable):
        ForeignDocument(upstream, "/openapi.json", TABLE).fetch()
    upstream.close()


ROUTES = """
services:
  orders: {{urls: ["{url}"], openapi: /v2/openapi.json}}
routes:
  - {{path: "{path}/**", methods: [GET], service: orders, access: {{role: editor}}, limit: {{per: user, rate: 9/hour}}}}
"""


def test_the_gateway_shows_a_foreign_document_and_a_reload_of_the_routes(
    start_gateway: Callable[..., Any], services: Any, answering_json: Callable[..., bytes], tmp_path: Path
) -> None:
    file = tmp_path / "orders.yaml"
    file.write_text(ROUTES.format(url=services.orders.url, path="/before"))
    item = {"get": {"summary": "One order", "responses": OK}}
    document = {"openapi": "3.1.0", "paths": {"/before/{id}": item, "/after/{id}": item}}
    services.orders.on("GET", "/v2/openapi.json", answering_json(document))
    gateway = start_gateway(routes_file=str(file))

    def paths() -> dict[str, Any]:
        shown = gateway.ask("GET", "/api/v1/openapi.json").json
        assert list(OpenAPIV31SpecValidator(shown).iter_errors()) == []
        return {path: item for path, item in shown["paths"].items() if path.startswith(("/before", "/after"))}

    before = paths()
    assert list(before) == ["/before/{id}"]
    operation = before["/before/{id}"]["get"]
    assert (operation["summary"], operation["x-required-role"]) == ("One order", "editor")
    assert operation["x-rate-limit"] == {"requests": 9, "seconds": 3600, "per": "user", "counter": "GET /before/**"}
    file.write_text(ROUTES.format(url=services.orders.url, path="/after"))
    gateway.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + 60
    while list(paths()) != ["/after/{id}"]:
        assert time.monotonic() < end
        time.sleep(0.1)
