"""Forward authentication: who passes, what a proxy is told, and where people who are not signed in are led."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from pydantic import ValidationError
from redis import Redis

from gateway.auth.identity_tokens import ISSUER, new_key_pem
from gateway.routing.route_files import RoutesRefused, SourceText, build_routes

ROUTES = """
services:
  orders: {urls: ["http://127.0.0.1:3000"], identity: token}
  legacy: {urls: ["http://127.0.0.1:3000"], identity: headers}
  plain: {urls: ["http://127.0.0.1:3000"]}
"""
PAGE = {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
HERE = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "news.example.com"}
APP = "https://app.example.com"


@pytest.fixture(scope="module")
def shared_gateway(start_gateway: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    file: Path = tmp_path_factory.mktemp("routes") / "orders.yaml"
    file.write_text(ROUTES)
    return start_gateway(routes_file=str(file), identity_keys=new_key_pem(), trusted_proxies="127.0.0.0/8")


@pytest.fixture
def ask(shared_gateway: Any, services: Any, redis: Redis) -> Callable[..., Any]:
    """Ask as a proxy does that names method and address in the form of Traefik and Caddy."""

    def send(query: str = "", *, method: str = "GET", address: str = "/orders/7?a=b", **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        forwarded = {"X-Forwarded-Method": method, "X-Forwarded-Uri": address}
        return shared_gateway.ask("GET", f"/auth?{query}", headers={**HERE, **forwarded, **named})

    return send


def test_a_signed_in_user_passes_with_an_identity_for_the_service(
    ask: Callable[..., Any], shared_gateway: Any, sign: Callable[..., str]
) -> None:
    answer = ask("service=orders", Authorization=f"Bearer {sign(sub='41', roles=['editor'])}", X_Identity="a.b.c")
    assert (answer.status, answer.body, answer.value("Cache-Control")) == (204, b"", "no-store")
    keys = jwt.PyJWKSet.from_dict(shared_gateway.ask("GET", "/.well-known/gateway-jwks.json").json)
    token = answer.value("X-Identity")
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["ES256"], audience="orders", issuer=ISSUER)
    assert (claims["sub"], claims["roles"]) == ("41", ["editor"])


def test_the_identity_has_the_form_of_the_service(ask: Callable[..., Any], sign: Callable[..., str]) -> None:
    bearer = f"Bearer {sign(sub='9', roles=['b', 'a'])}"
    legacy = ask("service=legacy", Authorization=bearer)
    assert (legacy.value("X-User-Id"), legacy.value("X-User-Roles")) == ("9", "a,b")
    for query in ("service=plain", ""):
        answer = ask(query, Authorization=bearer)
        assert answer.status == 204
        assert {"x-identity", "x-user-id", "x-internal-token"} & {name.lower() for name, _ in answer.headers} == set()


@pytest.mark.parametrize("query", ["service=user-service", "service=unknown", "service="])
def test_no_identity_is_written_for_a_service_that_no_file_names(
    ask: Callable[..., Any], sign: Callable[..., str], query: str
) -> None:
    answer = ask(query, Authorization=f"Bearer {sign()}")
    assert (answer.status, answer.json["code"]) == (404, "not_found")


def test_the_query_says_who_passes(ask: Callable[..., Any], sign: Callable[..., str]) -> None:
    def told(query: str, **claims: Any) -> tuple[int, str]:
        answer = ask(query, Authorization=f"Bearer {sign(**claims)}")
        return answer.status, answer.json["code"] if answer.body else ""

    assert told("role=editor", roles=["editor"]) == (204, "")
    assert told("role=editor", roles=["admin"]) == (204, "")
    assert told("role=editor", roles=["shop:editor"]) == (403, "forbidden")
    assert told("role=admin", roles=["editor"]) == (403, "forbidden")
    assert told("recent_seconds=300") == (204, "")
    assert told("recent_seconds=300", auth_time=1_700_000_000) == (401, "step_up_required")
    assert told("recent_seconds=300&redirect=true", auth_time=1_700_000_000) == (401, "step_up_required")


@pytest.mark.parametrize("query", ["roles=admin", "role=", "recent_seconds=0", "recent_seconds=soon", "redirect=maybe"])
def test_a_policy_that_cannot_be_read_lets_nobody_pass(
    ask: Callable[..., Any], sign: Callable[..., str], query: str
) -> None:
    assert ask(query, Authorization=f"Bearer {sign(roles=['admin'])}").status == 422


def test_a_policy_that_says_two_things_lets_nobody_pass(ask: Callable[..., Any], sign: Callable[..., str]) -> None:
    assert ask("role=editor&role=admin", Authorization=f"Bearer {sign(roles=['admin', 'editor'])}").status == 400


def test_who_is_no_trusted_proxy_gets_no_verdict(gateway: Any, sign: Callable[..., str]) -> None:
    headers = {"Authorization": f"Bearer {sign()}", "X-Forwarded-Method": "GET", "X-Forwarded-For": "192.0.2.1"}
    answer = gateway.ask("GET", "/auth", headers=headers)
    assert (answer.status, answer.json["code"]) == (403, "forbidden")
    assert "GATEWAY_TRUSTED_PROXIES" in answer.json["detail"]
    lines = gateway.lines_of(answer.value("X-Request-Id"))
    assert ("forward_auth_refused", "warning") in [(line["event"], line["level"]) for line in lines]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Original-Method": "GET"}, 204),
        ({"X-Forwarded-Method": "DELETE", "X-Original-Method": "DELETE"}, 204),
        ({"X-Forwarded-Method": "GET", "X-Original-Method": "POST"}, 400),
        ({"X-Original-Method": "GET", "X-Original-URI": "/a", "X-Forwarded-Uri": "/b"}, 400),
        ({"X-Forwarded-Method": "GET,POST"}, 400),
        ({"X-Forwarded-Method": "get"}, 400),
        ({}, 400),
    ],
)
def test_a_proxy_names_one_method_and_one_address(
    ask: Callable[..., Any], shared_gateway: Any, sign: Callable[..., str], headers: dict[str, str], status: int
) -> None:
    answer = shared_gateway.ask("GET", "/auth", headers={"Authorization": f"Bearer {sign()}", **headers})
    assert answer.status == status


def test_cookies_need_our_pages_for_a_method_that_changes_something(
    ask: Callable[..., Any], sign: Callable[..., str]
) -> None:
    def status(method: str, **headers: str) -> int:
        answer: int = ask("", method=method, Cookie=f"__Host-xinjing_at={sign()}", **headers).status
        return answer

    assert (status("GET"), status("GET", Sec_Fetch_Site="cross-site"), status("POST")) == (204, 204, 403)
    assert status("DELETE", Sec_Fetch_Site="cross-site", Origin="https://evil.example") == 403
    assert status("DELETE", Sec_Fetch_Site="same-origin", Origin="https://news.example.com") == 204
    assert status("POST", Origin=APP) == 204


def test_a_session_goes_on_and_the_proxy_hands_its_cookies_on(
    ask: Callable[..., Any], services: Any, answering_json: Any, tokens_of: Callable[..., dict[str, Any]]
) -> None:
    services.user.on("POST", "/api/v1/tokens/refresh", answering_json(tokens_of("r-2", sub="7")))
    passed = ask("service=legacy", Cookie="__Host-xinjing_rt=r-1")
    assert (passed.status, passed.value("X-User-Id")) == (204, "7")
    names = [cookie.partition("=")[0] for cookie in passed.values("Set-Cookie")]
    assert names == ["__Host-xinjing_at", "__Host-xinjing_rt"]
    refused = ask("role=admin", Cookie="__Host-xinjing_rt=r-1")
    assert (refused.status, len(refused.values("Set-Cookie"))) == (403, 2)


def test_a_session_that_is_over_is_cleared(ask: Callable[..., Any], services: Any, answering_json: Any) -> None:
    services.user.on("POST", "/api/v1/tokens/refresh", answering_json({"code": "unauthenticated"}, "401 UNAUTHORIZED"))
    answer = ask("redirect=true", Cookie="__Host-xinjing_rt=r-1", **PAGE)
    assert answer.status == 302
    assert all("Max-Age=0" in cookie for cookie in answer.values("Set-Cookie"))
    assert len(answer.values("Set-Cookie")) == 2


def test_a_person_is_led_to_the_sign_in_page_and_back(ask: Callable[..., Any]) -> None:
    answer = ask("redirect=true", address="/orders/7?a=b&c=%2F", **PAGE)
    assert (answer.status, answer.value("Cache-Control")) == (302, "no-store")
    location = urlsplit(answer.value("Location"))
    assert (location.scheme, location.netloc, location.path) == ("https", "news.example.com", "/")
    assert parse_qs(location.query) == {"login": ["1"], "next": ["https://news.example.com/orders/7?a=b&c=%2F"]}


@pytest.mark.parametrize(
    ("query", "method", "headers"),
    [
        ("", "GET", PAGE),
        ("redirect=true", "POST", PAGE),
        ("redirect=true", "GET", {"Sec-Fetch-Mode": "cors", "Accept": "text/html"}),
        ("redirect=true", "GET", {"Accept": "application/json"}),
        ("redirect=true", "GET", PAGE | {"Authorization": "Bearer x"}),
        ("redirect=true", "GET", PAGE | {"Authorization": "Basic eDp5"}),
    ],
)
def test_programs_and_changes_get_401(
    ask: Callable[..., Any], query: str, method: str, headers: dict[str, str]
) -> None:
    answer = ask(query, method=method, **headers)
    assert (answer.status, answer.value("WWW-Authenticate"), answer.values("Location")) == (401, "Bearer", [])


def test_an_old_browser_is_led_by_what_it_accepts(ask: Callable[..., Any]) -> None:
    assert ask("redirect=true", Accept="text/html,application/xhtml+xml,*/*;q=0.8").status == 302


# What has tricked readers of `next` elsewhere: it never becomes more than a path of the host that was opened.
@pytest.mark.parametrize("address", ["//evil.example/", "/\\evil.example", "/@evil.example", "/https:evil.example"])
def test_a_strange_path_stays_on_the_host(ask: Callable[..., Any], address: str) -> None:
    (back,) = parse_qs(urlsplit(ask("redirect=true", address=address, **PAGE).value("Location")).query)["next"]
    assert back == f"https://news.example.com{address}"


STRANGE_ADDRESSES = [
    *("", "evil.example", "@evil.example/", ".evil.example/", ":81/", "\\evil.example", "https:evil.example"),
    *("https://evil.example/", "javascript:alert(1)", "?a", "#a"),
]


@pytest.mark.parametrize("address", STRANGE_ADDRESSES)
def test_what_is_no_path_is_no_way_back(ask: Callable[..., Any], address: str) -> None:
    location = ask("redirect=true", address=address, **PAGE).value("Location")
    assert location == "https://news.example.com/?login=1"


@pytest.fixture(scope="module")
def sign_in_gateway(start_gateway: Callable[..., Any]) -> Any:
    """A gateway whose sign-in page is on a host of its own."""
    return start_gateway(sign_in_url="https://id.example.com/enter", trusted_proxies="127.0.0.0/8")


@pytest.mark.parametrize(
    ("origin", "is_led_back"),
    [
        ("https://id.example.com", True),
        ("https://ID.example.com:443", True),
        (APP, True),
        ("http://app.example.com", False),
        ("https://app.example.com:8443", False),
        ("https://app.example.com.evil.example", False),
        ("https://evil.example", False),
        ("https://app.example.com%2eevil.example", False),
        ("https://[::1]", False),
    ],
)
def test_only_configured_origins_are_ways_back(
    sign_in_gateway: Any, services: Any, origin: str, is_led_back: bool
) -> None:
    scheme, _, host = origin.partition("://")
    forwarded = {"X-Forwarded-Proto": scheme, "X-Forwarded-Host": host, "X-Forwarded-Method": "GET"}
    headers = {**PAGE, **forwarded, "X-Forwarded-Uri": "/a"}
    location = sign_in_gateway.ask("GET", "/auth?redirect=true", headers=headers).value("Location")
    address, _, query = location.partition("?")
    assert address == "https://id.example.com/enter"
    assert parse_qs(query) == {"login": ["1"], **({"next": [f"{origin}/a"]} if is_led_back else {})}


@pytest.mark.parametrize("host", ["user@evil.example", "app.example.com\\@evil.example", "app.example.com/evil"])
def test_a_host_that_is_none_is_no_way_back(sign_in_gateway: Any, services: Any, host: str) -> None:
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": host, "X-Forwarded-Method": "GET"}
    answer = sign_in_gateway.ask("GET", "/auth?redirect=true", headers={**PAGE, **forwarded, "X-Forwarded-Uri": "/a"})
    assert answer.value("Location") == "https://id.example.com/enter?login=1"


@pytest.mark.parametrize("address", ["//evil.example", "/\\evil", "ftp://h/", "https://h", "https://u@h/", "/a?b", ""])
def test_a_sign_in_page_that_could_lead_astray_is_refused(make_settings: Callable[..., Any], address: str) -> None:
    with pytest.raises(ValidationError, match="sign_in_url"):
        make_settings(sign_in_url=address)


@pytest.mark.parametrize("method", ["OPTIONS", "POST", "DELETE"])
def test_a_proxy_that_asks_with_another_method_learns_nothing(shared_gateway: Any, method: str) -> None:
    """Some proxies take any 2xx for a yes."""
    assert shared_gateway.ask(method, "/auth", headers={"X-Forwarded-Method": "GET"}, body=b"").status == 405


def test_no_routes_file_takes_the_path() -> None:
    source = """
services: {orders: {urls: ["http://orders:8000"]}}
routes: [{path: /auth, methods: [GET], service: orders, access: public}]
"""
    with pytest.raises(RoutesRefused, match="/auth"):
        build_routes([SourceText("orders.yaml", source)], can_sign=False)
