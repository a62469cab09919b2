"""The edge forwards what the rules name: identity, headers, bodies, errors."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from chassis.identity import LIFETIME_SECONDS, InternalTokens
from gateway.auth.token_cache import TokenCache
from gateway.auth.verifier import Identity
from gateway.proxy.service_identity import write_internal_token

Tokens = TokenCache[Identity | None]
SIGNED_IN = [
    ("GET", "/api/v1/users/me"),
    ("PATCH", "/api/v1/users/me"),
    ("DELETE", "/api/v1/users/me"),
    ("PUT", "/api/v1/users/me/password"),
    ("PUT", "/api/v1/users/me/mobile"),
    ("PUT", "/api/v1/users/me/avatar"),
    ("DELETE", "/api/v1/users/me/avatar"),
    ("GET", "/api/v1/sessions"),
    ("DELETE", "/api/v1/sessions/current"),
    ("DELETE", "/api/v1/sessions/12"),
]
OPEN = [
    ("GET", "/api/v1/captchas/1/image", "captcha"),
    ("GET", "/api/v1/captchas/1/audio?lang=en", "captcha"),
    ("POST", "/api/v1/captchas", "captcha"),
    ("POST", "/api/v1/sms-codes", "sms"),
    ("GET", "/api/v1/users/7", "user"),
    ("GET", f"/api/v1/avatars/{'0' * 64}.webp", "user"),
    ("POST", "/api/v1/password-resets", "user"),
    ("GET", "/.well-known/jwks.json", "user"),
    ("GET", "/api/v1/categories", "news"),
    ("GET", "/api/v1/news?category=2", "news"),
    ("GET", "/api/v1/news/3", "news"),
    ("POST", "/api/v1/news/3/views", "news"),
    ("GET", "/", "news"),
    ("GET", "/news/3", "news"),
    ("GET", "/favicon.ico", "news"),
    ("GET", "/static/site.css?v=1", "news"),
]


@pytest.mark.parametrize(("method", "target", "service"), OPEN)
def test_open_rules_reach_their_service_without_a_token(
    gateway: Any, services: Any, method: str, target: str, service: str, read_internal: Any
) -> None:
    answer = gateway.ask(method, target)
    assert answer.status == 200
    seen = getattr(services, service).last
    assert (seen.method, seen.target) == (method, target)
    claims = read_internal(seen.values("X-Internal-Token")[0], f"{service}-service")
    assert claims["sub"] == claims["iss"] == "gateway"


def test_sounds_of_captchas_are_counted_by_themselves(start_gateway: Any) -> None:
    gateway = start_gateway(captcha_sounds_per_ip_per_minute="2", cookies_secure="false")
    sounds = [gateway.ask("GET", "/api/v1/captchas/1/audio").status for _ in range(3)]
    assert sounds == [200, 200, 429]
    assert gateway.ask("POST", "/api/v1/captchas").status == 200


@pytest.mark.parametrize(("method", "path"), SIGNED_IN)
def test_signed_in_rules_refuse_a_request_without_a_token(gateway: Any, services: Any, method: str, path: str) -> None:
    answer = gateway.ask(method, path)
    assert (answer.status, answer.json["code"]) == (401, "unauthenticated")
    assert answer.value("Content-Type") == "application/problem+json"
    assert services.user.count(method, path) == 0


@pytest.mark.parametrize(("method", "path"), SIGNED_IN)
def test_signed_in_rules_hand_the_user_to_the_service(
    gateway: Any, services: Any, sign: Callable[..., str], method: str, path: str, read_internal: Any
) -> None:
    token = sign(sid=f"session:{method}:{path}", sub="41", roles=["admin"])
    assert gateway.ask(method, path, headers={"Authorization": f"Bearer {token}"}).status == 200
    claims = read_internal(services.user.last.values("X-Internal-Token")[0], "user-service")
    assert (claims["sub"], claims["roles"]) == ("41", ["admin"])
    assert "authorization" not in services.user.last.names()


def test_an_optional_rule_uses_a_token_and_refuses_a_wrong_one(
    gateway: Any, services: Any, sign: Callable[..., str], read_internal: Any
) -> None:
    assert gateway.ask("GET", "/api/v1/news/3", headers={"Authorization": f"Bearer {sign()}"}).status == 200
    claims = read_internal(services.news.last.values("X-Internal-Token")[0], "news-service")
    assert claims["sub"] == "7"
    assert gateway.ask("GET", "/api/v1/news/3", headers={"Authorization": "Bearer nonsense"}).status == 401


def test_a_public_rule_looks_at_no_token(gateway: Any, services: Any) -> None:
    assert gateway.ask("GET", "/api/v1/categories", headers={"Authorization": "Bearer nonsense"}).status == 200
    assert "authorization" not in services.news.last.names()


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/nothing", "/api/v1/users/7/secrets", "/static/", "//nothing", "/passport"]
)
def test_what_no_rule_names_is_404(gateway: Any, services: Any, path: str) -> None:
    answer = gateway.ask("GET", path)
    assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert answer.json["request_id"] == answer.value("X-Request-Id")
    assert sum(len(stub.requests) for stub in services.each()) == 0


def test_a_known_path_with_another_method_is_405(gateway: Any) -> None:
    answer = gateway.ask("PUT", "/api/v1/users/me")
    assert (answer.status, answer.json["code"]) == (405, "method_not_allowed")
    assert answer.value("Allow") == "DELETE, GET, HEAD, PATCH"


@pytest.mark.parametrize(
    "path",
    [
        "/internal/captchas/1",
        "/internal",
        "//internal/x",
        "/%69nternal/x",
        "/%2569nternal/x",
        "/INTERNAL/x",
        "/internal;a=b/x",
        "/internal%2fx",
        "/%2finternal/x",
        "/./internal/x",
        "/internal/openapi.json",
    ],
)
def test_internal_is_refused_in_any_spelling(gateway: Any, services: Any, path: str) -> None:
    assert gateway.ask("GET", path).status == 404
    assert sum(len(stub.requests) for stub in services.each()) == 0


def test_the_request_id_travels_and_stands_on_the_answer(gateway: Any, services: Any) -> None:
    answer = gateway.ask("GET", "/api/v1/categories", headers={"X-Request-Id": "my-own-id"})
    assert answer.value("X-Request-Id") == "my-own-id"
    assert services.news.last.values("X-Request-Id") == ["my-own-id"]
    garbled = gateway.ask("GET", "/api/v1/categories", headers={"X-Request-Id": "a b"})
    assert garbled.value("X-Request-Id") == services.news.last.values("X-Request-Id")[0] != "a b"


TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_a_trace_goes_on_at_the_service_with_a_parent_of_ours(gateway: Any, services: Any) -> None:
    sent = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "a=1 , b=2", "X-Request-Id": "with-a-trace"}
    gateway.ask("GET", "/api/v1/categories", headers=sent)
    (line,) = gateway.lines_of("with-a-trace")
    assert (line["trace_id"], line["span_id"] != PARENT) == (TRACE, True)
    assert services.news.last.values("traceparent") == [f"00-{TRACE}-{line['span_id']}-01"]
    assert services.news.last.values("tracestate") == ["a=1,b=2"]


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [f"traceparent: 00-{TRACE.upper()}-{PARENT}-01"],
        [f"traceparent: 00-{TRACE}-{PARENT}-01", f"traceparent: 00-{TRACE}-{PARENT}-01"],
        [f"traceparent: cc-{TRACE}-{PARENT}-01-later", f"Traceparent: 00-{TRACE}-{PARENT}-01"],
    ],
)
def test_without_one_good_trace_a_new_one_begins(gateway: Any, services: Any, lines: list[str]) -> None:
    head = ["GET /api/v1/categories HTTP/1.1", "Host: x", "Connection: close", "tracestate: a=1", *lines, "", ""]
    gateway.raw("\r\n".join(head).encode())
    (handed_on,), request_id = services.news.last.values("traceparent"), services.news.last.values("X-Request-Id")[0]
    (line,) = gateway.lines_of(request_id)
    assert handed_on == f"00-{line['trace_id']}-{line['span_id']}-00"
    assert TRACE not in handed_on
    assert "tracestate" not in services.news.last.names()


def test_two_lines_of_a_tracestate_are_one_list(gateway: Any, services: Any) -> None:
    head = ["GET /api/v1/categories HTTP/1.1", "Host: x", "Connection: close", "tracestate: a=1", "tracestate: b=2"]
    gateway.raw("\r\n".join([*head, f"traceparent: 00-{TRACE}-{PARENT}-00", "", ""]).encode())
    assert services.news.last.values("tracestate") == ["a=1,b=2"]


def test_calls_of_the_gateways_own_hand_the_trace_on(gateway: Any, services: Any) -> None:
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-Id": "a-classic-call"}
    gateway.ask("GET", "/passport/image_code?code_id=1", headers=headers)
    (line,) = gateway.lines_of("a-classic-call")
    assert services.captcha.last.values("traceparent") == [f"00-{TRACE}-{line['span_id']}-01"]


def test_the_time_of_a_service_is_counted_by_route(gateway: Any, services: Any) -> None:
    count = 'gateway_upstream_seconds_count{route="GET /api/v1/news/{id}",upstream="news-service"}'
    before = gateway.counts()
    gateway.ask("GET", "/api/v1/news/3")
    gateway.ask("GET", "/api/v1/news/4")
    gateway.ask("GET", "/api/v1/news/4", headers={"Authorization": "Bearer nonsense"})
    after = gateway.counts()
    total, whole = (
        count.replace("_count", "_sum"),
        'http_request_seconds_sum{route="GET /api/v1/news/{id}",service="gateway"}',
    )
    assert after[count] - before.get(count, 0) == 2
    assert 0 < after[total] - before.get(total, 0) <= after[whole] - before.get(whole, 0)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/categories"),
        ("DELETE", "/api/v1/categories"),
        ("GET", "/nothing"),
        ("GET", "/api/v1/users/me"),
        ("GET", "/internal/x"),
        ("GET", "/healthz"),
        ("GET", "/docs"),
        ("POST", "/passport/login"),
        ("GET", "/a%2fb"),
    ],
)
def test_every_answer_carries_the_security_headers(gateway: Any, method: str, path: str) -> None:
    answer = gateway.ask(method, path)
    assert answer.value("X-Content-Type-Options") == "nosniff"
    assert answer.value("Strict-Transport-Security") == "max-age=31536000; includeSubDomains"
    is_passed_on = (method, path) == ("GET", "/api/v1/categories")
    assert len(answer.values("Content-Security-Policy")) == (0 if is_passed_on else 1)


def test_a_service_s_own_policy_stays_as_it_is(
    gateway: Any, services: Any, answering_json: Callable[..., bytes]
) -> None:
    services.news.on("GET", "/", answering_json({}, "200 OK", "Content-Security-Policy: default-src 'self'"))
    assert gateway.ask("GET", "/").value("Content-Security-Policy") == "default-src 'self'"


def test_a_body_over_the_cap_is_413_and_never_reaches_the_service(gateway: Any, services: Any) -> None:
    head = b"POST /api/v1/captchas HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1048577\r\n\r\n"
    assert b" 413 " in gateway.raw(head).split(b"\r\n")[0]
    assert services.captcha.requests == []


def test_an_avatar_may_have_five_mebibytes_and_no_byte_more(
    gateway: Any, services: Any, sign: Callable[..., str]
) -> None:
    headers = {"Authorization": f"Bearer {sign()}", "Content-Type": "image/png"}
    picture = b"x" * 5 * 1024 * 1024
    assert gateway.ask("PUT", "/api/v1/users/me/avatar", headers=headers, body=picture).status == 200
    assert len(services.user.last.body) == len(picture)
    announced = {**headers, "Content-Length": str(len(picture) + 1)}
    answer = gateway.ask("PUT", "/api/v1/users/me/avatar", headers=announced)
    assert (answer.status, answer.json["code"]) == (413, "body_too_large")


def test_a_streamed_body_over_the_cap_is_413_and_the_service_sees_no_whole_request(gateway: Any, services: Any) -> None:
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    head = b"POST /api/v1/captchas HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert b" 413 " in gateway.raw(head + chunk * 17 + b"0\r\n\r\n").split(b"\r\n")[0]
    assert services.captcha.requests == []


def test_only_other_cookies_travel_to_services(gateway: Any, services: Any) -> None:
    gateway.ask("GET", "/api/v1/categories", headers={"Cookie": "__Host-xinjing_at=x; theme=dark; __Host-xinjing_rt=y"})
    assert services.news.last.values("Cookie") == ["theme=dark"]


def test_what_a_request_for_a_code_depends_on_travels_on(gateway: Any, services: Any) -> None:
    headers = {"Content-Type": "application/json", "Idempotency-Key": "a-key", "Accept-Language": "en"}
    gateway.ask("POST", "/api/v1/sms-codes", body=b"{}", headers=headers)
    assert services.sms.last.values("Idempotency-Key") == ["a-key"]
    assert services.sms.last.values("Accept-Language") == ["en"]


def test_metrics_are_not_on_the_public_port(gateway: Any) -> None:
    assert gateway.ask("GET", "/metrics").status == 404


@pytest.mark.parametrize("code", ["internal_token_refused", "service_refused"])
def test_a_service_that_refuses_us_has_not_refused_the_user(
    gateway: Any, services: Any, answering_json: Callable[..., bytes], code: str
) -> None:
    services.news.on("GET", "/api/v1/categories", answering_json({"code": code}, "401 UNAUTHORIZED"))
    assert gateway.ask("GET", "/api/v1/categories").status == 502


def test_a_page_may_contain_the_code_of_an_error_between_services(
    gateway: Any, services: Any, answering_json: Callable[..., bytes]
) -> None:
    services.news.on("GET", "/api/v1/categories", answering_json({"code": "internal_token_refused"}))
    answer = gateway.ask("GET", "/api/v1/categories")
    assert (answer.status, answer.json) == (200, {"code": "internal_token_refused"})


@pytest.fixture
def internal_tokens(clock: Any) -> Tokens:
    """The cache with room for two tokens."""
    tokens = InternalTokens("k" * 32, clock=clock)
    return TokenCache(partial(write_internal_token, tokens), cached_tokens=2, clock=clock)


def user(user_id: int) -> Identity:
    return Identity(user_id=user_id, session_id="s", roles=frozenset(), auth_time=900, expires_at=1600)


def test_an_internal_token_is_reused_for_half_of_its_life(internal_tokens: Tokens, clock: Any) -> None:
    first = internal_tokens.token_for("news-service", user(7))
    clock.now += LIFETIME_SECONDS / 2 - 1
    assert internal_tokens.token_for("news-service", user(7)) == first
    clock.now += 1
    assert internal_tokens.token_for("news-service", user(7)) != first


def test_internal_tokens_are_shared_by_no_two_users_and_services(internal_tokens: Tokens) -> None:
    tokens = [
        internal_tokens.token_for("news-service", user(7)),
        internal_tokens.token_for("news-service", user(8)),
        internal_tokens.token_for("news-service", None),
        internal_tokens.token_for("user-service", user(7)),
    ]
    assert len(set(tokens)) == 4


def test_the_cache_of_internal_tokens_is_bounded(internal_tokens: Tokens, clock: Any) -> None:
    first = internal_tokens.token_for("news-service", user(1))
    clock.now += 1
    internal_tokens.token_for("news-service", user(2))
    assert internal_tokens.token_for("news-service", user(1)) == first
    internal_tokens.token_for("news-service", user(3))
    assert internal_tokens.token_for("news-service", user(1)) != first
