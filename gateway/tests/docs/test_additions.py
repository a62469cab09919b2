from collections.abc import Iterator
from typing import Any

import pytest

from chassis.web import Access
from gateway.docs.additions import Additions
from gateway.routing.rules import Effect, Limit, RouteLimit, Rule, Service

ADDITIONS = Additions(limits=dict.fromkeys(Limit, 20), session_cookie="xinjing_at", has_cors=True)
PLAIN = {"responses": {"200": {"description": "OK"}}}
EDGE = {
    "400": "`request_refused`",
    "408": "`request_timeout`",
    "414": "`address_too_long`",
    "417": "`expectation_failed`",
    "431": "`headers_too_large`",
    "500": "`internal_error`",
    "501": "`transfer_coding_unsupported`",
    "505": "`http_version_unsupported`",
}
ALWAYS = EDGE | {
    "200": "OK",
    "413": "`body_too_large`",
    "502": "`upstream_unavailable`",
    "503": "`service_unavailable`",
    "504": "`upstream_timeout`",
}
UNSAFE = {"415": "`content_encoding_unsupported`"}
CROSS_SITE = {"403": "`cross_site_refused`"}
SIGNED_IN = {"401": "`unauthenticated`"}
LIMITED = {"429": "`too_many_requests`"}


def responses_of(operation: dict[str, Any], additions: Additions = ADDITIONS) -> dict[str, dict[str, Any]]:
    """Return the answers of an operation, with those that it refers to."""
    shared = additions.components()["responses"]
    return {
        status: shared[response["$ref"].rpartition("/")[2]] if "$ref" in response else response
        for status, response in operation["responses"].items()
    }


@pytest.mark.parametrize(
    ("rule", "added"),
    [
        (Rule("GET", "/a", Service.NEWS, Access.PUBLIC), {}),
        (Rule("GET", "/a", Service.NEWS, Access.OPTIONAL), SIGNED_IN),
        (Rule("GET", "/a", Service.NEWS, Access.ADMIN), SIGNED_IN | {"403": "`forbidden`"}),
        (Rule("GET", "/a", Service.NEWS, Access.PUBLIC, Limit.CAPTCHAS), LIMITED),
        (Rule("POST", "/a", Service.NEWS, Access.PUBLIC), UNSAFE),
        (Rule("DELETE", "/a", Service.NEWS, Access.SIGNED_IN), UNSAFE | SIGNED_IN | CROSS_SITE),
        (Rule("POST", "/a", Service.USER, Access.PUBLIC, effect=Effect.STARTS), UNSAFE | CROSS_SITE),
        (
            Rule("PUT", "/a", Service.USER, Access.ADMIN),
            UNSAFE | SIGNED_IN | {"403": "`forbidden`, `cross_site_refused`"},
        ),
        (Rule("POST", "/a", "orders", Access.PUBLIC), {}),
        (Rule("GET", "/a", "orders", Access.SIGNED_IN, role="editor"), SIGNED_IN | {"403": "`forbidden`"}),
        (
            Rule("GET", "/a", "orders", Access.SIGNED_IN, RouteLimit("r", True, 5, 60), recent_seconds=300),
            LIMITED | {"401": "`unauthenticated`, `step_up_required`"},
        ),
    ],
    ids=[
        "get",
        "optional",
        "admin",
        "limited",
        "post",
        "signed-in",
        "starts",
        "admin-put",
        "foreign",
        "role",
        "recent",
    ],
)
def test_an_operation_tells_what_the_gateway_answers(rule: Rule, added: dict[str, str]) -> None:
    responses = responses_of(ADDITIONS.complete(rule, PLAIN))
    assert {status: response["description"] for status, response in responses.items()} == ALWAYS | added


BODY = {"x-body-max-bytes": 1024 * 1024}
SESSION = [{"bearer": []}, {"session": []}]


@pytest.mark.parametrize(
    ("rule", "security", "members", "description"),
    [
        (Rule("GET", "/a", "orders", Access.PUBLIC), None, {"x-access": "public"}, "Access: everybody."),
        (
            Rule("GET", "/a", "orders", Access.OPTIONAL, cache_seconds=30),
            [{}, *SESSION],
            {"x-access": "optional", "x-cache-seconds": 30},
            "Access: everybody; the answer may differ for signed-in users."
            " Cache: answers without a lifetime of their own are kept for 30 seconds.",
        ),
        (
            Rule("POST", "/a", Service.USER, Access.ADMIN, Limit.USERS),
            SESSION,
            {
                "x-access": "admin",
                "x-required-role": "admin",
                "x-rate-limit": {"requests": 20, "seconds": 60, "per": "address", "counter": "users"},
            },
            "Access: signed-in users with the role `admin`. With cookies, from our own pages alone."
            " Limit: 20 requests in 60 seconds per address. Body: at most 1048576 bytes.",
        ),
        (
            Rule(
                *("PUT", "/a", "orders", Access.SIGNED_IN, RouteLimit("PUT /a", True, 5, 3600)),
                role="editor",
                recent_seconds=300,
                body_cap_bytes=0,
            ),
            SESSION,
            {
                "x-access": "signed-in",
                "x-required-role": "editor",
                "x-recent-sign-in-seconds": 300,
                "x-rate-limit": {"requests": 5, "seconds": 3600, "per": "user", "counter": "PUT /a"},
                "x-body-max-bytes": 0,
            },
            "Access: signed-in users with the role `editor`, signed in at most 300 seconds ago."
            " With cookies, from our own pages alone. Limit: 5 requests in 3600 seconds per user."
            " Body: at most 0 bytes.",
        ),
    ],
    ids=["public", "optional", "admin", "role"],
)
def test_an_operation_tells_what_its_rule_demands(
    rule: Rule, security: list[Any] | None, members: dict[str, Any], description: str
) -> None:
    completed = ADDITIONS.complete(rule, PLAIN | {"description": "What it does."})
    assert completed.get("security") == security
    assert {name: value for name, value in completed.items() if name.startswith("x-")} == BODY | members
    assert completed["description"] == f"What it does.\n\n{description}"


def headers_by_status(rule: Rule, additions: Additions) -> Iterator[tuple[str, list[str]]]:
    for status, response in responses_of(additions.complete(rule, PLAIN), additions).items():
        yield status, sorted(response["headers"])


def test_answers_tell_their_headers() -> None:
    rule = Rule("GET", "/a", Service.NEWS, Access.OPTIONAL, Limit.USERS)
    headers = dict(headers_by_status(rule, ADDITIONS))
    assert headers["200"] == ["Access-Control-Allow-Origin", "Cache-Status", "X-Request-Id"]
    assert headers["401"] == ["Access-Control-Allow-Origin", "WWW-Authenticate", "X-Request-Id"]
    for status in ("429", "502", "503", "504"):
        assert headers[status] == ["Access-Control-Allow-Origin", "Retry-After", "X-Request-Id"]
    off = Additions(limits=ADDITIONS.limits, session_cookie="xinjing_at", has_cache=False)
    assert dict(headers_by_status(rule, off))["200"] == ["X-Request-Id"]
    starts = Rule("POST", "/a", Service.USER, Access.PUBLIC, effect=Effect.STARTS)
    assert dict(headers_by_status(starts, off))["200"] == ["Set-Cookie", "X-Request-Id"]


def test_operations_that_set_cookies_name_the_parameter_that_asks_for_them() -> None:
    known, traces = {"name": "lang", "in": "query"}, ["X-Request-Id", "traceparent"]
    for effect, expected in ((Effect.STARTS, [*traces, "cookies"]), (Effect.ENDS, traces)):
        rule = Rule("POST", "/a", Service.USER, Access.PUBLIC, effect=effect)
        first, *others = ADDITIONS.complete(rule, PLAIN | {"parameters": [known]})["parameters"]
        assert first == known
        assert [parameter["$ref"].rpartition("/")[2] for parameter in others] == expected
    assert set(ADDITIONS.components()["parameters"]) == {*traces, "cookies"}


def test_what_the_service_tells_is_kept_and_each_code_told_once() -> None:
    rule = Rule("POST", "/a", Service.USER, Access.PUBLIC, Limit.USERS)
    told = {"400": "`mobile_invalid`, `request_refused`", "429": "`too_many_requests`", "409": "`mobile_taken`"}
    own = {
        "requestBody": {"content": {"application/json": {}}},
        "responses": {
            status: {"description": text, "content": {"text/plain": {}}, "headers": {"X-A": {}}}
            for status, text in told.items()
        },
    }
    responses = responses_of(ADDITIONS.complete(rule, own))
    assert responses["400"]["description"] == "`mobile_invalid`, `request_refused`, `body_malformed`"
    assert list(responses["400"]["content"]) == ["text/plain", "application/problem+json"]
    assert list(responses["409"]["content"]) == ["text/plain"]
    assert responses["415"]["description"] == "`content_encoding_unsupported`, `media_type_unsupported`"
    assert {"X-A", "Retry-After"} < set(responses["429"]["headers"])


def test_the_session_cookie_is_a_security_scheme() -> None:
    schemes = ADDITIONS.components()["securitySchemes"]
    assert (schemes["bearer"]["type"], schemes["bearer"]["scheme"]) == ("http", "bearer")
    assert (schemes["session"]["in"], schemes["session"]["name"]) == ("cookie", "xinjing_at")
