"""Services of the operator behind the gateway: who reaches them, what they are told, and what stays ours."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from redis import Redis

from gateway.auth.identity_tokens import ISSUER, KEYS_MAX_AGE_SECONDS, TYPE, new_key_pem
from gateway.auth.token_cache import TokenCache
from gateway.auth.verifier import Identity
from gateway.proxy.service_identity import ServiceIdentity
from gateway.routing.schema import IdentityForm

ROUTES = """
services:
  orders: {{urls: ["{url}"], identity: token, timeout_seconds: 1}}
  legacy: {{urls: ["{url}"], identity: headers}}
  plain: {{urls: ["{url}"]}}
routes:
  - {{path: "/api/orders/**", methods: [GET, POST, DELETE], service: orders, access: signed-in}}
  - {{path: "/api/orders/reports/{{day}}", methods: [GET, POST], service: orders, access: {{role: admin}}, body_max: 0}}
  - {{path: /api/orders/refunds, methods: [POST], service: orders, access: {{role: shop:editor, recent_seconds: 300}}}}
  - {{path: /api/orders/drafts, methods: [GET], service: orders, access: {{role: editor}}}}
  - {{path: /api/offers, methods: [GET, POST], service: orders, access: optional, body_max: 8}}
  - {{path: /api/legacy, methods: [GET], service: legacy, access: signed-in}}
  - {{path: /api/plain, methods: [GET, POST], service: plain, access: public}}
  - {{path: /api/often, methods: [GET], service: plain, access: optional, limit: {{per: user, rate: 2/hour}}}}
  - {{path: /api/address, methods: [GET], service: plain, access: signed-in, limit: {{per: address, rate: 2/hour}}}}
  - {{path: /api/prices, methods: [GET], service: plain, access: public, cache_seconds: 60,
     limit: {{per: address, rate: 2/hour}}}}
  - {{path: "/**", methods: [GET], service: plain, access: public}}
"""
KEYS = [new_key_pem() for _ in range(2)]


@pytest.fixture(scope="module")
def shared_gateway(start_gateway: Callable[..., Any], running_services: Any, tmp_path_factory: Any) -> Any:
    file: Path = tmp_path_factory.mktemp("routes") / "orders.yaml"
    file.write_text(ROUTES.format(url=running_services.orders.url))
    return start_gateway(routes_file=str(file), identity_keys="".join(KEYS))


@pytest.fixture
def shop(shared_gateway: Any, services: Any, redis: Redis) -> Any:
    """The gateway with services of the operator, empty limits, and services that have received nothing yet."""
    return shared_gateway


def bearer(token: str, **headers: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", **{name.replace("_", "-"): value for name, value in headers.items()}}


def test_a_service_verifies_who_sends_a_request_with_public_keys_alone(
    shop: Any, services: Any, sign: Callable[..., str]
) -> None:
    token = sign(sub="41", roles=["shop:editor", "admin"], sid="s-41")
    assert shop.ask("GET", "/api/orders/7?a=%20b", headers=bearer(token)).status == 200
    assert services.orders.last.target == "/api/orders/7?a=%20b"
    (identity,) = services.orders.last.values("X-Identity")
    answer = shop.ask("GET", "/.well-known/gateway-jwks.json")
    assert answer.value("Cache-Control") == f"public, max-age={KEYS_MAX_AGE_SECONDS}"
    keys = jwt.PyJWKSet.from_dict(answer.json)
    header = jwt.get_unverified_header(identity)
    assert header == {"alg": "ES256", "typ": TYPE, "kid": keys.keys[0].key_id}
    claims = jwt.decode(identity, keys[header["kid"]], algorithms=["ES256"], audience="orders", issuer=ISSUER)
    assert set(claims) == {"iss", "aud", "sub", "sid", "roles", "auth_time", "iat", "exp"}
    assert (claims["sub"], claims["sid"], claims["roles"]) == ("41", "s-41", ["admin", "shop:editor"])
    assert 0 < claims["exp"] - claims["iat"] <= 60


def test_the_public_halves_of_all_keys_are_published_and_nothing_else(shop: Any) -> None:
    entries = shop.ask("GET", "/.well-known/gateway-jwks.json").json["keys"]
    assert [set(entry) for entry in entries] == [{"kty", "crv", "x", "y", "use", "alg", "kid"}] * 2


def test_a_service_of_the_operator_gets_no_credentials(shop: Any, services: Any, sign: Callable[..., str]) -> None:
    session = f"__Host-xinjing_at={sign()}; theme=dark; __Host-xinjing_rt=r-1"
    shop.ask("GET", "/api/orders/7", headers={"Cookie": session})
    seen = services.orders.last
    assert seen.values("Cookie") == ["theme=dark"]
    assert {"authorization", "x-internal-token"} & seen.names() == set()
    assert "x-identity" in seen.names()
    shop.ask("GET", "/api/orders/7", headers=bearer(sign()))
    assert {"authorization", "x-internal-token", "cookie"} & services.orders.last.names() == set()


SPOOFED = {
    "X-Identity": "a.b.c",
    "X-User-Id": "1",
    "X-User-Roles": "admin",
    "X-Internal-Token": "x",
    "X-IDENTITY": "d.e.f",
}


@pytest.mark.parametrize("path", ["/api/offers", "/api/plain", "/elsewhere"])
def test_identities_of_clients_are_dropped(shop: Any, services: Any, path: str) -> None:
    assert shop.ask("GET", path, headers=SPOOFED).status == 200
    assert {"x-identity", "x-user-id", "x-user-roles", "x-internal-token"} & services.orders.last.names() == set()


def test_identities_of_clients_reach_no_service_of_ours(shop: Any, services: Any, sign: Callable[..., str]) -> None:
    shop.ask("GET", "/api/v1/users/me", headers=bearer(sign()) | SPOOFED)
    assert {"x-identity", "x-user-id", "x-user-roles"} & services.user.last.names() == set()
    assert len(services.user.last.values("X-Internal-Token")) == 1


def test_headers_name_the_user_where_the_file_says_so(shop: Any, services: Any, sign: Callable[..., str]) -> None:
    assert shop.ask("GET", "/api/legacy", headers=bearer(sign(sub="9", roles=["b", "a"])) | SPOOFED).status == 200
    seen = services.orders.last
    assert (seen.values("X-User-Id"), seen.values("X-User-Roles")) == (["9"], ["a,b"])
    assert {"x-identity", "x-internal-token"} & seen.names() == set()


def test_access_is_as_the_file_says(shop: Any, services: Any, sign: Callable[..., str]) -> None:
    def status(path: str, method: str = "GET", **claims: Any) -> int:
        headers = bearer(sign(**claims), Content_Length="0") if claims else {"Content-Length": "0"}
        answer: int = shop.ask(method, path, headers=headers).status
        return answer

    assert (status("/api/orders/7"), status("/api/orders/7", sub="7")) == (401, 200)
    assert (status("/api/orders/reports/1", sub="7"), status("/api/orders/reports/1", roles=["admin"])) == (403, 200)
    assert [status("/api/orders/drafts", roles=[role]) for role in ("shop:editor", "editor", "admin")] == [
        403,
        200,
        200,
    ]
    assert (status("/api/offers"), status("/api/offers", sub="7")) == (200, 200)
    assert status("/api/orders/refunds", "POST", roles=["admin"]) == 403
    assert status("/api/orders/refunds", "POST", roles=["shop:editor"]) == 200
    assert (status("/api/orders/7", "PUT", sub="7"), status("/api/orders", sub="7")) == (405, 200)


def test_an_old_sign_in_must_be_proved_again(shop: Any, services: Any, sign: Callable[..., str]) -> None:
    headers = bearer(sign(roles=["shop:editor"], auth_time=1_700_000_000))
    answer = shop.ask("POST", "/api/orders/refunds", headers=headers, body=b"")
    assert (answer.status, answer.json["code"]) == (401, "step_up_required")
    assert answer.value("WWW-Authenticate") == 'Bearer error="insufficient_user_authentication", max_age=300'
    assert services.orders.requests == []


def test_cookies_of_a_session_need_our_pages_there_too(shop: Any, services: Any, sign: Callable[..., str]) -> None:
    cookie = {"Cookie": f"__Host-xinjing_at={sign()}"}
    assert shop.ask("DELETE", "/api/orders/7", headers=cookie | {"Sec-Fetch-Site": "cross-site"}).status == 403
    assert services.orders.requests == []
    assert shop.ask("DELETE", "/api/orders/7", headers=cookie | {"Sec-Fetch-Site": "same-origin"}).status == 200


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [("/api/offers", b"12345678", 200), ("/api/offers", b"123456789", 413), ("/api/orders/reports/1", b"", 200)],
)
def test_bodies_are_as_long_as_the_file_says(
    shop: Any, services: Any, sign: Callable[..., str], path: str, body: bytes, status: int
) -> None:
    assert shop.ask("POST", path, headers=bearer(sign(roles=["admin"])), body=body).status == status
    assert [seen.body for seen in services.orders.requests] == [body] * (status == 200)


@pytest.mark.parametrize(
    "head", ["Content-Length: 1\r\n\r\nx", "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"]
)
def test_no_body_is_no_body_however_it_is_framed(shop: Any, services: Any, sign: Callable[..., str], head: str) -> None:
    lines = f"Host: h\r\nConnection: close\r\nAuthorization: Bearer {sign(roles=['admin'])}\r\n"
    answer = shop.raw(f"POST /api/orders/reports/1 HTTP/1.1\r\n{lines}{head}".encode())
    assert answer.split(b" ")[1] == b"413"
    assert services.orders.requests == []


def test_a_route_is_limited_per_user_and_without_one_per_address(
    shop: Any, sign: Callable[..., str], redis: Redis
) -> None:
    def ask(sub: str | None = None) -> Any:
        return shop.ask("GET", "/api/often", headers=bearer(sign(sub=sub)) if sub else None)

    assert [ask("7").status for _ in range(3)] == [200, 200, 429]
    assert [ask("8").status for _ in range(3)] == [200, 200, 429]
    assert [ask().status for _ in range(3)] == [200, 200, 429]
    refused = ask("7")
    assert refused.json["code"] == "too_many_requests"
    assert 1 <= int(refused.value("Retry-After")) <= 3600
    keys = [key for key in redis.scan_iter() if "/api/often" in key]
    assert any("user:7" in key for key in keys)


def test_a_route_is_limited_per_address(shop: Any, sign: Callable[..., str]) -> None:
    statuses = [shop.ask("GET", "/api/address", headers=bearer(sign(sub=sub))).status for sub in ("7", "8", "9")]
    assert statuses == [200, 200, 429]


def test_answers_keep_their_bytes(shop: Any, services: Any, sign: Callable[..., str], answering: Any) -> None:
    body = b'{"code": "internal_token_refused"}'
    services.orders.on("GET", "/api/orders/7", answering("403 FORBIDDEN", body, "X-A: 1", "Set-Cookie: cart=9; Path=/"))
    answer = shop.ask("GET", "/api/orders/7", headers=bearer(sign()))
    assert (answer.status, answer.body, answer.value("X-A")) == (403, body, "1")
    assert answer.values("Set-Cookie") == ["cart=9; Path=/"]


def test_a_service_of_the_operator_sets_no_session_of_ours(shop: Any, services: Any, answering: Any) -> None:
    cookies = [
        f"Set-Cookie: {name}=x; Path=/; Secure" for name in ("__Host-xinjing_at", "__Host-xinjing_rt", "xinjing")
    ]
    services.orders.on("GET", "/api/plain", answering("200 OK", b"", *cookies))
    assert shop.ask("GET", "/api/plain").values("Set-Cookie") == ["xinjing=x; Path=/; Secure"]


def test_silence_is_as_long_as_the_file_says(shop: Any, services: Any, sign: Callable[..., str]) -> None:
    services.orders.on("GET", "/api/orders/7", lambda connection: connection.recv(1))
    answer = shop.ask("GET", "/api/orders/7", headers=bearer(sign()))
    assert (answer.status, answer.json["code"]) == (504, "upstream_timeout")


ESCAPES = [
    "/api/orders/..%2fplain",
    "/api/orders/%2e%2e/plain",
    "/api/orders/../plain",
    "/api/orders/..;/plain",
    "/api/orders/.%2e/v1/users/me",
    "/api/orders/..%5cplain",
    "/api/orders/%2e%2e%2f%2e%2e%2finternal",
    "/api/orders/reports//7",
    "/api/orders//reports/7",
    "/api/orders/REPORTS/7",
    "/api/orders/reports/7/",
    "/api/orders/repor%74s/7",
    "/api/orders/reports;v=1/7",
    "/api/orders/%00",
]


@pytest.mark.parametrize("path", ESCAPES)
def test_no_path_leaves_its_route(shop: Any, services: Any, sign: Callable[..., str], path: str) -> None:
    assert shop.ask("GET", path, headers=bearer(sign())).status == 400
    assert services.orders.requests == []


@pytest.mark.parametrize(
    "path", ["/internal", "/internal/x", "//internal/x", "/%69nternal/x", "/INTERNAL", "/a/../internal"]
)
def test_a_route_for_everything_reaches_nothing_internal(shop: Any, services: Any, path: str) -> None:
    assert shop.ask("GET", path).status in (400, 404)
    assert services.orders.requests == []


def test_a_route_for_everything_leaves_us_our_own(shop: Any, services: Any) -> None:
    assert shop.ask("GET", "/healthz").json == {"status": "up"}
    assert shop.ask("GET", "/docs").status == 200
    assert shop.ask("GET", "/news/5/").value("Location") == "/news/5"
    assert shop.ask("GET", "/api/v1/news").status == 200
    assert shop.ask("GET", "/passport/nothing").status == 404
    assert services.orders.requests == []
    assert shop.ask("GET", "/about").status == 200
    assert len(services.orders.requests) == 1


def test_a_service_that_no_file_names_gets_nothing() -> None:
    def fail(service: str, identity: Identity | None) -> str:
        raise AssertionError(f"a token for {service} and {identity}")

    identity = Identity(7, "s", frozenset(), 900, 1600)
    services = ServiceIdentity(TokenCache(fail), TokenCache(fail), {"plain": IdentityForm.NONE})
    assert services.headers_for("plain", identity) == []
    with pytest.raises(KeyError):
        services.headers_for("unknown", identity)


def test_kept_answers_of_a_route_count_against_its_limit(shop: Any, services: Any) -> None:
    answers = [shop.ask("GET", "/api/prices") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[1].value("Cache-Status").startswith("xinjing; hit")
    assert services.orders.count("GET", "/api/prices") == 1
