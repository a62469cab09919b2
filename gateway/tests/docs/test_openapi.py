from collections.abc import Callable
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from chassis.errors import DependencyUnavailable
from chassis.web import Access
from gateway.docs.additions import Additions
from gateway.docs.openapi import MergedDocument, merge
from gateway.routing.route_files import own_rules
from gateway.routing.rules import Limit, Rule, RuleTable, Service

ADDITIONS = Additions(limits=dict.fromkeys(Limit, 20), session_cookie="xinjing_at")
OWN_PATHS = ["/.well-known/gateway-jwks.json", "/api/v1/openapi.json", "/auth", "/healthz", "/readyz"]
RULES_OF_TWO = (
    Rule("GET", "/a/{id}", Service.USER, Access.SIGNED_IN),
    Rule("GET", "/b", Service.NEWS, Access.PUBLIC),
)


def operation(name: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    answer = {"description": "OK", "content": {"a/b": {"schema": {"$ref": "#/components/schemas/Item"}}}}
    return {"operationId": name, "parameters": [*parameters], "responses": {"200": answer}}


def in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {}}


def check(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document that is valid."""
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    return document


def test_documents_are_merged_without_clashes_and_without_internal_operations() -> None:
    documents = {
        "user-service": {
            "paths": {"/a/{user_id}": {"get": operation("one", in_path("user_id"))}, "/internal/x": {"get": {}}},
            "components": {"schemas": {"Item": {"type": "string"}, "Problem": {"type": "object"}}},
        },
        "news-service": {
            "paths": {"/b": {"get": operation("one")}},
            "components": {"schemas": {"Item": {"type": "integer"}}},
        },
    }
    merged = check(merge(documents, RuleTable(RULES_OF_TWO), ADDITIONS))
    assert list(merged["paths"]) == sorted([*OWN_PATHS, "/a/{user_id}", "/b"])
    assert [merged["paths"][path]["get"]["operationId"] for path in ("/a/{user_id}", "/b")] == [
        "user-service.one",
        "news-service.one",
    ]
    contents = [merged["paths"][path]["get"]["responses"]["200"]["content"] for path in ("/a/{user_id}", "/b")]
    assert [content["a/b"]["schema"]["$ref"] for content in contents] == [
        "#/components/schemas/Item",
        "#/components/schemas/news-service_Item",
    ]
    assert merged["components"]["schemas"]["news-service_Item"] == {"type": "integer"}
    # The gateway's own problems are described without any service.
    assert set(merged["components"]["schemas"]["Problem"]["properties"]) > {"code", "request_id"}


def test_the_gateways_own_endpoints_are_in_the_document_without_any_service() -> None:
    paths = check(merge({}, RuleTable(()), ADDITIONS))["paths"]
    assert list(paths) == OWN_PATHS
    assert {"204", "302", "401", "403", "404", "422"} < set(paths["/auth"]["get"]["responses"])
    with_inbox = check(merge({}, RuleTable(()), ADDITIONS, has_inbox=True))["paths"]
    assert set(with_inbox) - set(paths) == {"/inbox/messages"}


def test_a_route_without_a_document_is_listed_as_its_file_says() -> None:
    foreign = [
        Rule("GET", "/x/**", "orders", Access.SIGNED_IN, cache_seconds=0),
        Rule("GET", "/x/{id}", "orders", Access.PUBLIC),
        Rule("PUT", "/x/{day}", "shop", Access.PUBLIC),
        Rule("PUT", "/y/**", "shop", Access.PUBLIC),
    ]
    paths = check(merge({}, RuleTable((), foreign), ADDITIONS))["paths"]
    found = {
        (path, method): paths[path][method] for path in paths for method in paths[path] if path[:2] in ("/x", "/y")
    }
    # Two paths that differ in names alone are one path of OpenAPI.
    assert {place: (each["summary"], each["tags"]) for place, each in found.items()} == {
        ("/x/{id}", "get"): ("/x/{id}", ["orders"]),
        ("/x/{id}", "put"): ("/x/{day}", ["shop"]),
        ("/x/{rest}/{rest2}", "get"): ("/x/**", ["orders"]),
        ("/y/{rest}", "put"): ("/y/**", ["shop"]),
    }
    assert found["/x/{rest}/{rest2}", "get"]["security"] == [{"bearer": []}, {"session": []}]


@pytest.mark.parametrize(
    ("service", "method", "path", "rule"),
    [
        ("orders", "get", "/orders/{day}", "/orders/{id}"),
        ("orders", "post", "/orders/{day}", None),
        ("orders", "get", "/orders/today", "/orders/today"),
        ("orders", "get", "/orders/{day}/lines", "/orders/**"),
        ("orders", "get", "/orders/{name}.pdf", "/orders/{id}"),
        ("orders", "get", "/orders/Today", None),  # The gateway refuses it as ambiguous.
        ("orders", "get", "/shop/7", None),
        ("shop", "get", "/orders/today", None),
        ("all", "get", "/api/v1/users/me", None),
        ("all", "get", "/API/V1/users/me", None),
        ("all", "get", "/internal/openapi.json", None),
        ("all", "get", "/passport/logout", None),
        ("all", "get", "/elsewhere", "/**"),
    ],
)
def test_an_operation_belongs_to_the_route_that_leads_to_it(
    service: str, method: str, path: str, rule: str | None
) -> None:
    foreign = [
        Rule("GET", "/orders/**", "orders", Access.PUBLIC),
        Rule("GET", "/orders/{id}", "orders", Access.PUBLIC),
        Rule("GET", "/orders/today", "orders", Access.PUBLIC),
        Rule("GET", "/**", "all", Access.PUBLIC),
    ]
    found = RuleTable(own_rules(), foreign).rule_for(service, method, path)
    assert (found and found.path) == rule


def test_a_service_that_is_away_keeps_its_last_document_and_is_asked_again(clock: Any) -> None:
    answers: list[Any] = [DependencyUnavailable(), {"paths": {"/b": {"get": operation("b")}}}, DependencyUnavailable()]
    asked = []

    def fetch() -> dict[str, Any]:
        asked.append(clock.now)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)

    merged = MergedDocument({"news-service": fetch}, table=RuleTable(RULES_OF_TWO), additions=ADDITIONS, clock=clock)
    found = []
    for seconds in (0, 1, 2, 30, 60, 0):
        clock.now += seconds
        found.append("/b" in merged.document()["paths"])
    assert found == [False, False, True, True, True, True]
    assert asked == [1000, 1003, 1093]


def test_one_document_for_all_services(gateway: Any, services: Any, answering_json: Callable[..., bytes]) -> None:
    document = {
        "paths": {"/api/v1/categories": {"get": operation("list")}},
        "components": {"schemas": {"Item": {}}},
    }
    services.news.on("GET", "/internal/openapi.json", answering_json(document))
    paths = check(gateway.ask("GET", "/api/v1/openapi.json").json)["paths"]
    assert paths["/api/v1/categories"]["get"]["tags"] == ["news-service"]
    assert "/inbox/messages" in paths
    assert gateway.ask("GET", "/healthz").status == 200
