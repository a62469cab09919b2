from collections.abc import Callable
from typing import Any

import pytest

from chassis.web import Access
from gateway.docs.openapi import merge
from gateway.routing.rules import Effect, Limit, Rule, Service

RULES_OF_TWO = (
    Rule("GET", "/a/{id}", Service.USER, Access.SIGNED_IN),
    Rule("GET", "/b", Service.NEWS, Access.PUBLIC),
)


def operation(name: str) -> dict[str, Any]:
    return {"operationId": name, "responses": {"200": {"schema": {"$ref": "#/components/schemas/Item"}}}}


def test_documents_are_merged_without_clashes_and_without_internal_operations() -> None:
    documents = {
        Service.USER: {
            "paths": {"/a/{user_id}": {"get": operation("one")}, "/internal/x": {"get": operation("two")}},
            "components": {"schemas": {"Item": {"type": "string"}, "Problem": {"type": "object"}}},
        },
        Service.NEWS: {
            "paths": {"/b": {"get": operation("one")}},
            "components": {"schemas": {"Item": {"type": "integer"}, "Problem": {"type": "object"}}},
        },
    }
    merged = merge(documents, RULES_OF_TWO)
    assert list(merged["paths"]) == ["/a/{user_id}", "/b"]
    assert merged["paths"]["/a/{user_id}"]["get"]["security"] == [{"bearer": []}]
    assert "security" not in merged["paths"]["/b"]["get"]
    references = [merged["paths"][path]["get"]["responses"]["200"]["schema"]["$ref"] for path in merged["paths"]]
    assert references == ["#/components/schemas/Item", "#/components/schemas/news-service_Item"]
    assert merged["components"]["schemas"]["news-service_Item"] == {"type": "integer"}
    assert set(merged["components"]["schemas"]) == {"Item", "news-service_Item", "Problem"}


def test_operations_that_set_cookies_name_the_parameter_that_asks_for_them() -> None:
    rules = (
        Rule("POST", "/a", Service.USER, Access.PUBLIC, effect=Effect.STARTS),
        Rule("DELETE", "/a", Service.USER, Access.PUBLIC, effect=Effect.ENDS),
    )
    known = {"name": "lang", "in": "query"}
    document = {"paths": {"/a": {"post": {**operation("one"), "parameters": [known]}, "delete": operation("two")}}}
    operations = merge({Service.USER: document}, rules)["paths"]["/a"]
    assert [parameter["name"] for parameter in operations["post"]["parameters"]] == ["lang", "cookies"]
    assert "parameters" not in operations["delete"]


ALWAYS = {
    "200": None,
    "400": "`request_refused`",
    "408": "`request_timeout`",
    "414": "`address_too_long`",
    "431": "`headers_too_large`",
    "500": "`internal_error`",
    "502": "`upstream_unavailable`",
    "503": "`service_unavailable`",
    "504": "`upstream_timeout`",
}
UNSAFE = {"413": "`body_too_large`", "415": "`content_encoding_unsupported`"}
CROSS_SITE = {"403": "`cross_site_refused`"}
SIGNED_IN = {"401": "`unauthenticated`"}


@pytest.mark.parametrize(
    ("rule", "added"),
    [
        (Rule("GET", "/a", Service.NEWS, Access.PUBLIC), {}),
        (Rule("GET", "/a", Service.NEWS, Access.OPTIONAL), SIGNED_IN),
        (Rule("GET", "/a", Service.NEWS, Access.ADMIN), SIGNED_IN | {"403": "`forbidden`"}),
        (Rule("GET", "/a", Service.NEWS, Access.EDITOR), SIGNED_IN | {"403": "`forbidden`"}),
        (Rule("GET", "/a", Service.NEWS, Access.PUBLIC, Limit.CAPTCHAS), {"429": "`too_many_requests`"}),
        (Rule("POST", "/a", Service.NEWS, Access.PUBLIC), UNSAFE),
        (Rule("DELETE", "/a", Service.NEWS, Access.SIGNED_IN), UNSAFE | SIGNED_IN | CROSS_SITE),
        (Rule("POST", "/a", Service.USER, Access.PUBLIC, effect=Effect.STARTS), UNSAFE | CROSS_SITE),
        (
            Rule("PUT", "/a", Service.USER, Access.ADMIN),
            UNSAFE | SIGNED_IN | {"403": "`forbidden`, `cross_site_refused`"},
        ),
    ],
    ids=["get", "optional", "admin", "editor", "limited", "post", "signed-in", "starts", "admin-put"],
)
def test_an_operation_tells_what_the_gateway_answers(rule: Rule, added: dict[str, str]) -> None:
    document = {"paths": {"/a": {rule.method.lower(): operation("one")}}}
    [described] = merge({rule.service: document}, (rule,))["paths"]["/a"].values()
    assert {status: answer.get("description") for status, answer in described["responses"].items()} == ALWAYS | added


def test_what_the_service_tells_is_kept_and_each_code_told_once() -> None:
    rule = Rule("POST", "/a", Service.USER, Access.PUBLIC, Limit.USERS)
    told = {"400": "`mobile_invalid`, `request_refused`", "429": "`too_many_requests`", "409": "`mobile_taken`"}
    own = {
        "requestBody": {"content": {"application/json": {}}},
        "responses": {status: {"description": text, "content": {}} for status, text in told.items()},
    }
    [described] = merge({Service.USER: {"paths": {"/a": {"post": own}}}}, (rule,))["paths"]["/a"].values()
    responses = described["responses"]
    assert responses["400"] == {"description": "`mobile_invalid`, `request_refused`, `body_malformed`", "content": {}}
    assert responses["415"] == {
        "description": "`content_encoding_unsupported`, `media_type_unsupported`",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    repeatable = [status for status, answer in responses.items() if "Retry-After" in answer.get("headers", {})]
    assert repeatable == ["429", "502", "503", "504"]


def test_one_document_for_all_services(gateway: Any, services: Any, answering_json: Callable[..., bytes]) -> None:
    document = {"paths": {"/api/v1/categories": {"get": operation("list")}}, "components": {"schemas": {}}}
    services.news.on("GET", "/internal/openapi.json", answering_json(document))
    answer = gateway.ask("GET", "/api/v1/openapi.json")
    assert answer.json["paths"]["/api/v1/categories"]["get"]["tags"] == ["news-service"]
