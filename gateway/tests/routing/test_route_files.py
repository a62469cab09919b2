from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from chassis.web import MAX_BODY_BYTES, Access
from gateway.routing.route_files import RoutesRefused, SourceText, build_routes, read_texts
from gateway.routing.rules import RouteLimit, Rule, Service
from gateway.routing.schema import IdentityForm, OwnRoutesFile, RoutesFile, json_schema
from gateway.routing.yaml_file import YamlFile

RIGHT = "{urls: ['http://o:1']}"
RATE = "9: routes[0].limit.rate: must be a number per second, minute or hour, such as 60/minute"
EXAMPLE = """
services:
  orders: {urls: ["http://orders:8000"], identity: token, timeout_seconds: 10}
routes:
  - path: "/api/orders/**"
    methods: [GET, POST]
    service: orders
    access: signed-in
    limit: {per: user, rate: 60/minute}
  - path: "/api/orders/reports/{day}"
    methods: [GET]
    service: orders
    access: {role: admin, recent_seconds: 300}
    cache_seconds: 30
    body_max: 0
  - {path: /api/offers, methods: [GET], service: orders, access: {role: shop:editor}}
  - {path: /api/drafts, methods: [GET], service: orders, access: {role: editor}}
"""


def problems_of(*texts: str, can_sign: bool = True) -> list[str]:
    names = ("orders.yaml", "more.yaml")
    try:
        build_routes([SourceText(name, text) for name, text in zip(names, texts, strict=False)], can_sign=can_sign)
    except RoutesRefused as refused:
        return list(map(str, refused.problems))
    return []


def with_route(**fields: Any) -> str:
    """A file with one service and one route; texts and numbers are written as they are, None leaves a field out."""
    route = {"path": "/orders", "methods": "[GET]", "service": "orders", "access": "public", **fields}
    lines = [f"    {name}: {value}" for name, value in route.items() if value is not None]
    return "services:\n  orders: {urls: ['http://o:1']}\nroutes:\n  -\n" + "\n".join(lines) + "\n"


def with_service(text: str) -> str:
    return f"services:\n  orders: {text}\n"


def test_the_example_becomes_rules() -> None:
    routes = build_routes([SourceText("orders.yaml", EXAMPLE)], can_sign=True)
    limit = RouteLimit("GET,POST /api/orders/**", per_user=True, amount=60, window_seconds=60)
    report = "/api/orders/reports/{day}"
    assert routes.table.foreign_rules == (
        Rule("GET", "/api/orders/**", "orders", Access.SIGNED_IN, limit),
        Rule("POST", "/api/orders/**", "orders", Access.SIGNED_IN, limit),
        Rule(
            "GET", report, "orders", Access.ADMIN,
            body_cap_bytes=0, role="admin", recent_seconds=300, cache_seconds=30,
        ),
        Rule("GET", "/api/offers", "orders", Access.SIGNED_IN, body_cap_bytes=MAX_BODY_BYTES, role="shop:editor"),
        Rule("GET", "/api/drafts", "orders", Access.EDITOR, role="editor"),
    )  # fmt: skip
    orders = routes.services["orders"]
    assert (orders.urls, orders.identity, orders.timeout_seconds) == (["http://orders:8000"], IdentityForm.TOKEN, 10)


@pytest.mark.parametrize("document", ["README.md", "examples/routes.yaml"])
def test_the_examples_of_the_documents_are_right(document: str) -> None:
    text = (Path(__file__).parents[3] / document).read_text()
    example = text.partition("```yaml\n")[2].partition("```")[0] or text
    assert problems_of(example) == []
    assert len(build_routes([SourceText("x", example)], can_sign=True).services) > 0


def test_no_files_leave_our_rules_alone() -> None:
    routes = build_routes([], can_sign=False)
    assert (routes.services, routes.table.foreign_rules) == ({}, ())
    assert {rule.service for rule in routes.table.rules} == set(Service)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"path": "orders"}, "5: routes[0].path: must begin with /"),
        ({"path": "/a/../b"}, "5: routes[0].path: holds . or .., which lead out of it"),
        ({"path": "/internal/x"}, "5: routes[0].path: is hidden by /internal/**, which is ours"),
        ({"path": '"/Internal/**"'}, "5: routes[0].path: is hidden by /internal/**, which is ours"),
        ({"path": "/healthz"}, "5: routes[0].path: is hidden by /healthz, which is ours"),
        ({"path": "/api/v1/users/9"}, "5: routes[0].path: is hidden by /api/v1/users/{id}, which is ours"),
        ({"path": '"/api/v1/users/{x}"'}, "5: routes[0].path: is hidden by /api/v1/users/{id}, which is ours"),
        ({"path": "/API/v1/News/"}, "5: routes[0].path: is hidden by /api/v1/news, which is ours"),
        ({"path": "/passport/x/y"}, "5: routes[0].path: is hidden by /passport/**, which is ours"),
        ({"methods": "[]"}, "6: routes[0].methods: List should have at least 1 item after validation, not 0"),
        (
            {"methods": "[OPTIONS]"},
            "6: routes[0].methods[0]: Input should be 'GET', 'POST', 'PUT', 'PATCH' or 'DELETE'",
        ),
        ({"methods": "[GET, GET]"}, "6: routes[0].methods: GET /orders stands twice, also in orders.yaml:5"),
        ({"service": "order"}, "7: routes[0].service: names no service, did you mean orders?"),
        ({"service": "user-service"}, "7: routes[0].service: is a service of ours, and its routes are ours"),
        ({"access": "everybody"}, "8: routes[0].access: Input should be 'public', 'optional' or 'signed-in'"),
        ({"access": None}, "5: routes[0].access: is missing"),
        ({"access": "{}"}, "8: routes[0].access: needs role or recent_seconds"),
        ({"access": "{rol: admin}"}, "8: routes[0].access.rol: is unknown, did you mean role?"),
        ({"access": "{role: 'a b'}"}, "8: routes[0].access.role: must match ^[A-Za-z0-9_.:-]{1,64}$"),
        ({"access": "{recent_seconds: 0}"},
         "8: routes[0].access.recent_seconds: Input should be greater than or equal to 1"),
        ({"acess": "public"}, "9: routes[0].acess: is unknown, did you mean access?"),
        (
            {"limit": "{per: user, rate: 5/minute}"},
            "9: routes[0].limit: per user needs another access: no user is known where it is public",
        ),
        (
            {"limit": "{per: address, rate: 5/day}"},
            RATE,
        ),
        ({"limit": "{per: address, rate: 0/hour}"}, RATE),
        ({"body_max": -1}, "9: routes[0].body_max: Input should be greater than or equal to 0"),
        ({"cache_seconds": "'5'"}, "9: routes[0].cache_seconds: Input should be a valid integer"),
        ({"effect": "starts"}, "9: routes[0].effect: is unknown"),
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_route_is_named_with_its_line(fields: dict[str, Any], problem: str) -> None:
    assert problems_of(with_route(**fields)) == [f"orders.yaml:{problem}"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{}", "2: services.orders.urls: is missing"),
        ("{urls: []}", "2: services.orders.urls: List should have at least 1 item after validation, not 0"),
        ("{urls: ['https://o:1']}", "2: services.orders.urls[0]: must be http://host:port"),
        ("{urls: ['http://o:1/path']}", "2: services.orders.urls[0]: must be http://host:port"),
        ("{urls: ['http://o:1'], identity: tokn}",
         "2: services.orders.identity: Input should be 'token', 'headers' or 'none'"),
        ("{urls: ['http://o:1'], timeout_seconds: 0}",
         "2: services.orders.timeout_seconds: Input should be greater than 0"),
        ("{urls: ['http://o:1'], time: 1}", "2: services.orders.time: is unknown"),
        (f"{RIGHT}\n  user-service: {RIGHT}", "3: services.user-service: is a service of ours; choose another name"),
        (f"{RIGHT}\n  gateway: {RIGHT}", "3: services.gateway: is a service of ours; choose another name"),
        (f"{RIGHT}\n  My_Shop: {RIGHT}", "3: services.My_Shop: must match ^[a-z][a-z0-9-]{0,62}$"),
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_service_is_named_with_its_line(text: str, problem: str) -> None:
    assert problems_of(with_service(text)) == [f"orders.yaml:{problem}"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[]", "1: Input should be a valid dictionary or instance of RoutesFile"),
        ("routes: {}", "1: routes: Input should be a valid list"),
        ("service: {}", "1: service: is unknown, did you mean services?"),
        ("services:\n", "1: services: Input should be a valid dictionary"),
        ("routes:\n- 1", "2: routes[0]: Input should be a valid dictionary or instance of RouteEntry"),
    ],
)
def test_a_file_of_another_shape_is_refused(text: str, problem: str) -> None:
    assert problems_of(text) == [f"orders.yaml:{problem}"]


def test_a_token_needs_a_key() -> None:
    assert problems_of(EXAMPLE, can_sign=False) == [
        "orders.yaml:3: services.orders.identity: token needs a key that signs: GATEWAY_IDENTITY_KEYS"
    ]


def test_all_problems_of_all_files_are_named_at_once() -> None:
    wrong, doubled = (
        with_route(method="GET", limit="{}"),
        with_route(access="{role: 1}", path="/Orders", service="other"),
    )
    assert problems_of(wrong, doubled, can_sign=False) == [
        "more.yaml:2: services.orders: stands in another file, too",
        "more.yaml:8: routes[0].access.role: Input should be a valid string",
        "orders.yaml:9: routes[0].method: is unknown, did you mean methods?",
        "orders.yaml:10: routes[0].limit.per: is missing",
        "orders.yaml:10: routes[0].limit.rate: is missing",
    ]


def test_routes_of_two_files_may_not_be_the_same() -> None:
    second = with_route(path="/orders").replace("  orders:", "  others:")
    assert problems_of(with_route(), second) == [
        "more.yaml:6: routes[0].methods: GET /orders stands twice, also in orders.yaml:5"
    ]


def test_a_route_may_name_a_service_of_another_file() -> None:
    assert (
        problems_of(with_service("{urls: ['http://o:1']}"), with_route().partition("\nroutes")[2].join(["routes", ""]))
        == []
    )


def test_a_service_that_is_wrong_itself_is_not_called_missing() -> None:
    text = with_route().replace("http:", "ftp:")
    assert problems_of(text) == ["orders.yaml:2: services.orders.urls[0]: must be http://host:port"]


def test_two_spellings_of_one_path_are_refused() -> None:
    second = with_route(path="/Orders/", methods="[POST]").partition("routes:\n")[2]
    assert problems_of(with_route() + second) == [
        "orders.yaml:10: routes[1].path: is /orders to some services; write it the same"
    ]


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: \xe9\n")
    (wrong := tmp_path / "wrong.yaml").write_text("x: 1")
    with pytest.raises(RoutesRefused) as refused:
        build_routes(read_texts([tmp_path / "none.yaml", tmp_path / "latin.yaml", tmp_path, wrong]), can_sign=True)
    assert [str(each) for each in refused.value.problems] == [
        f"{tmp_path}:1: cannot be read: Is a directory",
        f"{tmp_path}/latin.yaml:2: is no text in UTF-8",
        f"{tmp_path}/none.yaml:1: cannot be read: No such file or directory",
        f"{wrong}:1: x: is unknown",
    ]


def test_the_schema_document_of_routes_files_is_checked_in(check_openapi: Callable[..., None]) -> None:
    check_openapi("gateway", json_schema(), "routes.schema.json")


def test_the_schema_accepts_the_example_and_refuses_what_we_refuse() -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    file = YamlFile("x")
    file.read(EXAMPLE)
    assert list(validator.iter_errors(file.value)) == []
    for wrong in ({"access": "{}"}, {"access": "who"}, {"path": "orders"}, {"methods": "[]"}, {"acess": "public"}):
        file = YamlFile("x")
        file.read(with_route(**wrong))
        assert list(validator.iter_errors(file.value)), wrong


def test_our_file_and_the_operators_have_the_same_fields() -> None:
    ours, theirs = OwnRoutesFile.model_json_schema(), RoutesFile.model_json_schema()
    own, other = (
        schema["$defs"][name]["properties"] for schema, name in ((ours, "OwnRouteEntry"), (theirs, "RouteEntry"))
    )
    assert set(own) - set(other) == {"effect"}
    assert {name for name in other if own[name] != other[name]} == {"limit"}
