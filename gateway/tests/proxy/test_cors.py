"""Pages of other origins: what a browser is told before a call and after it, and that they get no cookie session."""

from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from gateway.proxy.cors import CrossOrigin, write_origin

SHOP, ADMIN, STRANGER = "https://shop.example", "http://admin.example:8080", "https://evil.example"
LISTED = f"{SHOP},{ADMIN}"
LOGIN = "/api/v1/sessions"


@pytest.fixture(scope="module")
def shared_gateway(start_gateway: Callable[..., Any]) -> Any:
    return start_gateway(cors_origins=LISTED, allowed_origins=ADMIN)


@pytest.fixture
def api(shared_gateway: Any, services: Any, redis: Redis) -> Any:
    """A gateway with two origins, of which the second may use cookies too; nothing was received yet."""
    return shared_gateway


def cross_origin(answer: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers if name.lower().startswith("access-control-")}


def preflight(origin: str, method: str = "POST", **headers: str) -> dict[str, str]:
    asked = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"Origin": origin, "Access-Control-Request-Method": method, **asked}


def test_a_preflight_is_answered_from_the_rules_and_reaches_no_service(api: Any, services: Any) -> None:
    asked = preflight(SHOP, Access_Control_Request_Headers="authorization,content-type")
    answer = api.ask("OPTIONS", LOGIN, headers=asked)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.value("Access-Control-Allow-Origin") == SHOP
    assert answer.value("Access-Control-Allow-Methods") == "DELETE, GET, HEAD, POST"
    assert answer.value("Access-Control-Allow-Headers") == "authorization,content-type"
    assert answer.value("Access-Control-Max-Age") == "7200"
    assert "access-control-allow-credentials" not in cross_origin(answer)
    assert [request for stub in services.each() for request in stub.requests if request.method == "OPTIONS"] == []


@pytest.mark.parametrize(
    ("headers", "target", "status"),
    [
        (preflight(STRANGER), LOGIN, 405),
        (preflight("null"), LOGIN, 405),
        (preflight(f"{SHOP}.evil.example"), LOGIN, 405),
        (preflight("https://shop.example:444"), LOGIN, 405),
        (preflight(SHOP.upper()), LOGIN, 405),
        (preflight(SHOP), "/nothing", 404),
        (preflight(SHOP), "/internal/x", 404),
        ({"Origin": SHOP}, LOGIN, 405),
    ],
)
def test_what_is_no_preflight_of_a_listed_origin_is_answered_as_ever(
    api: Any, services: Any, headers: dict[str, str], target: str, status: int
) -> None:
    answer = api.ask("OPTIONS", target, headers=headers)
    assert answer.status == status
    assert "access-control-allow-methods" not in cross_origin(answer)


@pytest.mark.parametrize("target", ["/api/v1/news", "/api/v1/users/me", "/nothing", "/healthz"])
def test_answers_and_refusals_can_be_read_by_listed_origins_alone(api: Any, target: str) -> None:
    listed, stranger = (api.ask("GET", target, headers={"Origin": origin}) for origin in (SHOP, STRANGER))
    assert listed.value("Access-Control-Allow-Origin") == SHOP
    assert "X-Request-Id" in listed.value("Access-Control-Expose-Headers")
    assert "access-control-allow-credentials" not in cross_origin(listed)
    assert cross_origin(stranger) == {}
    for answer in (listed, stranger, api.ask("GET", target)):
        assert "Origin" in ",".join(answer.values("Vary"))


def test_credentials_are_for_origins_that_may_use_cookies(api: Any) -> None:
    answer = api.ask("GET", "/api/v1/news", headers={"Origin": ADMIN})
    assert answer.value("Access-Control-Allow-Credentials") == "true"


def test_one_kept_answer_serves_all_origins(api: Any, services: Any, answering: Callable[..., bytes]) -> None:
    services.news.on("GET", "/api/v1/categories", answering("200 OK", b"[]", "Cache-Control: max-age=60"))
    origins = [SHOP, STRANGER, ADMIN]
    answers = [api.ask("GET", "/api/v1/categories", headers={"Origin": origin}) for origin in origins]
    assert [cross_origin(answer).get("access-control-allow-origin") for answer in answers] == [SHOP, None, ADMIN]
    assert services.news.count("GET", "/api/v1/categories") == 1


def test_what_a_service_says_about_origins_stays_here(api: Any, services: Any, answering: Callable[..., bytes]) -> None:
    services.news.on("GET", "/api/v1/news", answering("200 OK", b"[]", "Access-Control-Allow-Origin: *"))
    assert cross_origin(api.ask("GET", "/api/v1/news", headers={"Origin": STRANGER})) == {}


@pytest.mark.parametrize(
    ("origin", "status", "has_cookies"), [(SHOP, 201, False), (ADMIN, 201, True), (STRANGER, 403, False)]
)
def test_a_listed_origin_signs_in_without_cookies(
    api: Any,
    services: Any,
    tokens_of: Callable[..., Any],
    answering_json: Callable[..., bytes],
    origin: str,
    status: int,
    has_cookies: bool,
) -> None:
    services.user.on("POST", LOGIN, answering_json(tokens_of(), "201 CREATED"))
    headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site", "Content-Type": "application/json"}
    answer = api.ask("POST", LOGIN, headers=headers, body=b"{}")
    assert answer.status == status
    assert (answer.values("Set-Cookie") != []) == has_cookies


def test_a_cookie_session_changes_nothing_from_an_origin_for_bearer_tokens(
    api: Any, services: Any, sign: Callable[..., str]
) -> None:
    cookie = {"Cookie": f"__Host-xinjing_at={sign()}", "Origin": SHOP, "Content-Type": "application/json"}
    assert api.ask("PATCH", "/api/v1/users/me", headers=cookie, body=b"{}").status == 403
    bearer = {"Authorization": f"Bearer {sign()}", "Origin": SHOP, "Content-Type": "application/json"}
    assert api.ask("PATCH", "/api/v1/users/me", headers=bearer, body=b"{}").status == 200


def test_all_origins_may_read_but_never_with_cookies() -> None:
    everybody = CrossOrigin(["*"], [SHOP])
    headers = dict(everybody.complete({"HTTP_ORIGIN": SHOP}, [], is_own=True))
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert {"Access-Control-Allow-Credentials", "Vary"} & set(headers) == set()


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:443", "http://shop.example:443"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("*", ""),
        ("null", ""),
    ],
)
def test_origins_are_written_as_browsers_write_them(address: str, origin: str) -> None:
    assert write_origin(address) == origin
