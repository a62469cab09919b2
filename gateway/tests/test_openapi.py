from collections.abc import Callable
from typing import Any

from chassis.web import Access
from gateway.openapi import merge
from gateway.rules import Effect, Rule, Service

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


def test_one_document_for_all_services(gateway: Any, services: Any, answering_json: Callable[..., bytes]) -> None:
    document = {"paths": {"/api/v1/categories": {"get": operation("list")}}, "components": {"schemas": {}}}
    services.news.on("GET", "/internal/openapi.json", answering_json(document))
    answer = gateway.ask("GET", "/api/v1/openapi.json")
    assert answer.json["paths"]["/api/v1/categories"]["get"]["tags"] == ["news-service"]
