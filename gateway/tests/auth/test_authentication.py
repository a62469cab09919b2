"""Cookie sessions: start, silent renewal, end, revocation, requests of other sites."""

import socket
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from redis import Redis

from chassis.errors import DependencyUnavailable
from chassis.identity import InternalTokens
from chassis.service_client import ServiceClient
from chassis.web import Access
from gateway.auth.authentication import Authentication
from gateway.auth.cookies import SessionCookies
from gateway.auth.csrf import SameSite
from gateway.auth.revocations import Revocations
from gateway.auth.token_refresh import TokenRefresh
from gateway.auth.verifier import TokenVerifier
from gateway.routing.route_files import own_rules
from gateway.routing.rules import Effect, Rule

ADMIN_RULES = [rule for rule in own_rules() if rule.access is Access.ADMIN]
OURS = {"Sec-Fetch-Site": "same-origin"}


def cookies_of(answer: Any) -> dict[str, str]:
    return {value.partition("=")[0]: value for value in answer.values("Set-Cookie")}


def with_cookies(access: str = "", refresh: str = "", **headers: str) -> dict[str, str]:
    pairs = [f"__Host-xinjing_at={access}"] * bool(access) + [f"__Host-xinjing_rt={refresh}"] * bool(refresh)
    return {"Cookie": "; ".join(pairs), **{name.replace("_", "-"): value for name, value in headers.items()}}


@pytest.mark.parametrize("path", ["/api/v1/users", "/api/v1/sessions"])
def test_T39_starting_a_session_sets_both_cookies(
    gateway: Any, services: Any, tokens_of: Callable[..., Any], answering_json: Callable[..., bytes], path: str
) -> None:
    tokens = {**tokens_of(), "user": {"id": 7}}
    services.user.on("POST", path, answering_json(tokens, "201 CREATED"))
    answer = gateway.send_json("POST", path, {"mobile": "x"}, Sec_Fetch_Site="same-origin")
    assert (answer.status, answer.json) == (201, tokens)
    attributes = "Secure; HttpOnly; Path=/; SameSite=Lax"
    assert answer.values("Set-Cookie") == [
        f"__Host-xinjing_at={tokens['access_token']}; Max-Age=600; {attributes}",
        f"__Host-xinjing_rt=refresh-2; Max-Age=2592000; {attributes}",
    ]


def test_T39_the_largest_session_fits_into_cookies(
    gateway: Any, services: Any, tokens_of: Callable[..., Any], answering_json: Callable[..., bytes]
) -> None:
    longest = {"sub": str(2**31 - 1), "sid": "f" * 32, "jti": "f" * 32, "roles": ["admin"]}
    tokens = tokens_of(f"{'f' * 32}.999999999.{'x' * 43}", **longest)
    services.user.on("POST", "/api/v1/sessions", answering_json(tokens, "201 CREATED"))
    cookies = gateway.send_json("POST", "/api/v1/sessions?cookies=true", {}).values("Set-Cookie")
    assert [len(cookie) <= 4096 and cookie.startswith("__Host-") for cookie in cookies] == [True, True]
    assert not any("Domain" in cookie for cookie in cookies)


def test_a_proof_of_identity_by_cookie_sets_both_cookies_anew_and_ends_the_old_session(
    gateway: Any, services: Any, sign: Callable[..., str], tokens_of: Callable[..., Any], answering_json: Any
) -> None:
    old, tokens = sign(sid="before-the-proof"), tokens_of(sid="after-the-proof")
    services.user.on("POST", "/api/v1/reauthentications", answering_json(tokens))
    path, body = "/api/v1/reauthentications", {"password": "x"}
    elsewhere = {**with_cookies(old, "r"), "Sec-Fetch-Site": "cross-site", "Content-Type": "application/json"}
    assert gateway.ask("POST", path, headers=elsewhere, body=b"{}").status == 403
    answer = gateway.send_json("POST", path, body, **with_cookies(old, "r"), Sec_Fetch_Site="same-origin")
    assert (answer.status, set(cookies_of(answer))) == (200, {"__Host-xinjing_at", "__Host-xinjing_rt"})
    assert gateway.ask("GET", "/api/v1/users/me", headers=with_cookies(old)).status == 401
    assert gateway.ask("GET", "/api/v1/users/me", headers=with_cookies(tokens["access_token"])).status == 200


def test_a_refused_proof_leaves_the_session_alone(
    gateway: Any, services: Any, sign: Callable[..., str], answering_json: Callable[..., bytes]
) -> None:
    refusal = answering_json({"code": "credentials_wrong"}, "401 UNAUTHORIZED")
    services.user.on("POST", "/api/v1/reauthentications", refusal)
    token = sign(sid="stays-after-a-refusal")
    answer = gateway.send_json(
        "POST", "/api/v1/reauthentications", {}, **with_cookies(token), Sec_Fetch_Site="same-origin"
    )
    assert (answer.status, answer.values("Set-Cookie")) == (401, [])
    assert gateway.ask("GET", "/api/v1/users/me", headers=with_cookies(token)).status == 200


def test_the_challenge_to_step_up_reaches_the_client(
    gateway: Any, services: Any, sign: Callable[..., str], answering_json: Callable[..., bytes]
) -> None:
    challenge = 'Bearer error="insufficient_user_authentication", max_age=300'
    refusal = answering_json({"code": "step_up_required"}, "401 UNAUTHORIZED", f"WWW-Authenticate: {challenge}")
    services.user.on("DELETE", "/api/v1/sessions", refusal)
    token = sign()
    answer = gateway.ask(
        "DELETE", "/api/v1/sessions?scope=all", headers={"Authorization": f"Bearer {token}", "Cookie": ""}
    )
    assert (answer.status, answer.value("WWW-Authenticate")) == (401, challenge)


def test_a_refused_sign_in_sets_no_cookies(gateway: Any, services: Any, answering_json: Callable[..., bytes]) -> None:
    services.user.on("POST", "/api/v1/sessions", answering_json({"code": "credentials_wrong"}, "401 UNAUTHORIZED"))
    answer = gateway.send_json("POST", "/api/v1/sessions", {})
    assert (answer.status, answer.values("Set-Cookie")) == (401, [])


def test_an_answer_without_tokens_is_502(gateway: Any, services: Any, answering_json: Callable[..., bytes]) -> None:
    services.user.on("POST", "/api/v1/sessions", answering_json({"access_token": "a\r\nb"}, "201 CREATED"))
    assert gateway.send_json("POST", "/api/v1/sessions", {}).status == 502


def test_the_access_cookie_signs_in(gateway: Any, services: Any, sign: Callable[..., str]) -> None:
    assert gateway.ask("GET", "/api/v1/users/me", headers=with_cookies(sign())).status == 200
    assert services.user.count("POST", "/api/v1/tokens/refresh") == 0


@pytest.mark.parametrize("age", ["expired", "missing", "garbled"])
def test_a_session_is_renewed_on_the_way(
    gateway: Any,
    services: Any,
    sign: Callable[..., str],
    tokens_of: Callable[..., Any],
    answering_json: Callable[..., bytes],
    age: str,
) -> None:
    now = int(time.time())
    access = {"expired": sign(iat=now - 700, exp=now - 100), "missing": "", "garbled": "a.b.c"}[age]
    renewed = tokens_of()
    services.user.on("POST", "/api/v1/tokens/refresh", answering_json(renewed))
    answer = gateway.ask("GET", "/api/v1/users/me", headers=with_cookies(access, "refresh-1"))
    assert answer.status == 200
    assert cookies_of(answer)["__Host-xinjing_rt"].startswith("__Host-xinjing_rt=refresh-2;")
    assert cookies_of(answer)["__Host-xinjing_at"].startswith(f"__Host-xinjing_at={renewed['access_token']};")
    exchange, request = services.user.requests
    assert (exchange.body, exchange.values("X-Forwarded-For")) == (b'{"refresh_token": "refresh-1"}', ["127.0.0.1"])
    assert request.target == "/api/v1/users/me"


def test_T35_requests_that_come_together_share_one_renewal(
    gateway: Any, services: Any, tokens_of: Callable[..., Any], answering_json: Callable[..., bytes]
) -> None:
    answer = answering_json(tokens_of())

    def slowly(connection: socket.socket) -> None:
        time.sleep(0.4)
        connection.sendall(answer)

    services.user.on("POST", "/api/v1/tokens/refresh", slowly)
    with ThreadPoolExecutor(6) as pool:
        ask = [pool.submit(gateway.ask, "GET", "/api/v1/users/me", headers=with_cookies("", "r-1")) for _ in range(6)]
    assert {future.result().status for future in ask} == {200}
    assert services.user.count("POST", "/api/v1/tokens/refresh") == 1


@pytest.mark.parametrize(("path", "status"), [("/api/v1/users/me", 401), ("/", 200)])
def test_a_refused_renewal_clears_the_cookies(
    gateway: Any, services: Any, answering_json: Callable[..., bytes], path: str, status: int
) -> None:
    refusal = answering_json({"code": "unauthenticated"}, "401 UNAUTHORIZED")
    services.user.on("POST", "/api/v1/tokens/refresh", refusal)
    answer = gateway.ask("GET", path, headers=with_cookies("", "used-up"))
    assert answer.status == status
    assert all("Max-Age=0" in value for value in cookies_of(answer).values())
    assert len(cookies_of(answer)) == 2


def test_a_code_is_requested_signed_out_when_the_session_is_over(
    gateway: Any, services: Any, answering_json: Callable[..., bytes]
) -> None:
    refusal = answering_json({"code": "unauthenticated"}, "401 UNAUTHORIZED")
    services.user.on("POST", "/api/v1/tokens/refresh", refusal)
    answer = gateway.ask("POST", "/api/v1/sms-codes", headers={**with_cookies("", "used-up"), **OURS})
    assert answer.status == 200
    assert len(cookies_of(answer)) == 2
    assert services.sms.count("POST", "/api/v1/sms-codes") == 1


def test_a_change_does_not_go_on_signed_out_during_an_outage(
    gateway: Any, services: Any, answering_json: Callable[..., bytes]
) -> None:
    services.user.on("POST", "/api/v1/tokens/refresh", answering_json({"code": "internal_error"}, "500 OH"))
    answer = gateway.ask("POST", "/api/v1/sms-codes", headers={**with_cookies("", "refresh-1"), **OURS})
    assert (answer.status, answer.json["code"]) == (502, "upstream_unavailable")
    assert answer.values("Set-Cookie") == []
    assert services.sms.requests == []


@pytest.mark.parametrize(("path", "status"), [("/api/v1/users/me", 401), ("/", 200)])
def test_a_fresh_token_of_a_fast_clock_ends_no_session(
    gateway: Any, services: Any, sign: Callable[..., str], path: str, status: int
) -> None:
    now = int(time.time())
    token = sign(iat=now + 90, auth_time=now + 90, exp=now + 690)
    answer = gateway.ask("GET", path, headers=with_cookies(token, "refresh-1"))
    assert (answer.status, answer.values("Set-Cookie")) == (status, [])
    assert services.user.count("POST", "/api/v1/tokens/refresh") == 0


@pytest.mark.parametrize(
    "times", [{"iat": 90, "auth_time": 90, "exp": 690}, {"iat": -700, "auth_time": -700, "exp": -100}]
)
def test_a_renewal_that_clocks_make_useless_keeps_the_session(
    gateway: Any,
    services: Any,
    tokens_of: Callable[..., dict[str, Any]],
    answering_json: Callable[..., bytes],
    times: dict[str, int],
) -> None:
    now = int(time.time())
    tokens = tokens_of(**{name: now + seconds for name, seconds in times.items()})
    services.user.on("POST", "/api/v1/tokens/refresh", answering_json(tokens))
    answer = gateway.ask("GET", "/api/v1/users/me", headers=with_cookies("", "refresh-1"))
    assert answer.status == 401
    assert cookies_of(answer)["__Host-xinjing_rt"].startswith("__Host-xinjing_rt=refresh-2; Max-Age=2592000;")


@pytest.mark.parametrize("path", ["/", "/news/5", "/api/v1/news/5"])
@pytest.mark.parametrize("is_renewed", [True, False])
def test_an_answer_that_sets_cookies_is_kept_by_no_cache(
    gateway: Any,
    services: Any,
    tokens_of: Callable[..., dict[str, Any]],
    answering_json: Callable[..., bytes],
    path: str,
    is_renewed: bool,
) -> None:
    public = answering_json({}, "200 OK", "Cache-Control: public, max-age=30", "Expires: Thu, 01 Jan 2099 00:00:00 GMT")
    services.news.on("GET", path, public)
    refusal = answering_json({"code": "unauthenticated"}, "401 UNAUTHORIZED")
    services.user.on("POST", "/api/v1/tokens/refresh", answering_json(tokens_of()) if is_renewed else refusal)
    answer = gateway.ask("GET", path, headers=with_cookies("", "refresh-1"))
    assert (answer.status, len(answer.values("Set-Cookie"))) == (200, 2)
    assert (answer.value("Cache-Control"), answer.values("Expires")) == ("private, no-store", [])
    stored_alone = f"{path}?is_renewed={is_renewed}"  # The gateway keeps this answer for as long as it runs.
    assert gateway.ask("GET", stored_alone).value("Cache-Control") == "public, max-age=30"


@pytest.mark.parametrize(("path", "status"), [("/api/v1/users/me", 502), ("/", 200)])
def test_an_outage_during_renewal_keeps_the_cookies(
    gateway: Any, services: Any, answering_json: Callable[..., bytes], path: str, status: int
) -> None:
    services.user.on("POST", "/api/v1/tokens/refresh", answering_json({"code": "internal_error"}, "500 OH"))
    answer = gateway.ask("GET", path, headers=with_cookies("", "refresh-1"))
    assert (answer.status, answer.values("Set-Cookie")) == (status, [])


@pytest.mark.parametrize("path", ["/api/v1/sessions/current", "/api/v1/users/me"])
def test_signing_out_or_deleting_the_account_clears_the_cookies_and_kills_the_token_at_once(
    gateway: Any, services: Any, sign: Callable[..., str], path: str
) -> None:
    token = sign(sid=f"to-be-ended:{path}")
    services.user.on("DELETE", path, b"HTTP/1.1 204 NO CONTENT\r\n\r\n")
    answer = gateway.ask("DELETE", path, headers={**with_cookies(token), **OURS})
    assert answer.status == 204
    assert all("Max-Age=0" in value for value in cookies_of(answer).values())
    assert gateway.ask("GET", "/api/v1/users/me", headers={"Authorization": f"Bearer {token}"}).status == 401


@pytest.mark.parametrize("status", ["300 MULTIPLE", "302 FOUND", "401 UNAUTHORIZED", "503 AWAY"])
def test_signing_out_that_did_not_happen_leaves_the_session_alone(
    gateway: Any, services: Any, sign: Callable[..., str], answering: Callable[..., bytes], status: str
) -> None:
    token = sign(sid=f"not-ended:{status[:3]}")
    services.user.on("DELETE", "/api/v1/sessions/current", answering(status))
    answer = gateway.ask("DELETE", "/api/v1/sessions/current", headers={**with_cookies(token), **OURS})
    assert (answer.status, answer.values("Set-Cookie")) == (int(status[:3]), [])
    assert gateway.ask("GET", "/api/v1/users/me", headers=with_cookies(token)).status == 200


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
def test_only_our_pages_refresh_with_the_cookie_of_a_browser(
    gateway: Any,
    services: Any,
    tokens_of: Callable[..., Any],
    answering_json: Callable[..., bytes],
    headers: dict[str, str],
) -> None:
    services.user.on("POST", "/api/v1/tokens/refresh", answering_json(tokens_of()))
    answer = gateway.ask("POST", "/api/v1/tokens/refresh", headers={**with_cookies("", "refresh-1"), **headers})
    assert answer.status == 403
    assert services.user.count("POST", "/api/v1/tokens/refresh") == 0


def test_a_browser_refreshes_with_its_cookie_and_an_empty_body(
    gateway: Any, services: Any, tokens_of: Callable[..., Any], answering_json: Callable[..., bytes]
) -> None:
    services.user.on("POST", "/api/v1/tokens/refresh", answering_json(tokens_of()))
    answer = gateway.ask("POST", "/api/v1/tokens/refresh", headers={**with_cookies("", "refresh-1"), **OURS})
    assert answer.status == 200
    assert services.user.last.body == b'{"refresh_token": "refresh-1"}'
    assert services.user.last.values("Content-Type") == ["application/json"]
    assert set(cookies_of(answer)) == {"__Host-xinjing_at", "__Host-xinjing_rt"}


def test_an_app_refreshes_with_its_own_body(
    gateway: Any, services: Any, tokens_of: Callable[..., Any], answering_json: Callable[..., bytes]
) -> None:
    services.user.on("POST", "/api/v1/tokens/refresh", answering_json(tokens_of()))
    assert gateway.send_json("POST", "/api/v1/tokens/refresh", {"refresh_token": "mine"}).status == 200
    assert services.user.last.body == b'{"refresh_token": "mine"}'


def test_the_body_of_a_refresh_wins_over_the_cookie(
    gateway: Any, services: Any, tokens_of: Callable[..., Any], answering_json: Callable[..., bytes]
) -> None:
    services.user.on("POST", "/api/v1/tokens/refresh", answering_json(tokens_of()))
    body, cookies = {"refresh_token": "mine"}, with_cookies("", "from-the-cookie")
    answer = gateway.send_json("POST", "/api/v1/tokens/refresh", body, **cookies, Sec_Fetch_Site="same-origin")
    assert answer.status == 200
    assert services.user.last.body == b'{"refresh_token": "mine"}'


def test_a_refresh_cookie_that_is_refused_is_cleared(
    gateway: Any, services: Any, answering_json: Callable[..., bytes]
) -> None:
    refusal = answering_json({"code": "unauthenticated"}, "401 UNAUTHORIZED")
    services.user.on("POST", "/api/v1/tokens/refresh", refusal)
    answer = gateway.ask("POST", "/api/v1/tokens/refresh", headers={**with_cookies("", "used"), **OURS}, body=b"{}")
    assert answer.status == 401
    assert all("Max-Age=0" in value for value in cookies_of(answer).values())


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER  "])
def test_the_scheme_of_a_bearer_token_has_no_case(gateway: Any, sign: Callable[..., str], scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {sign()}"}
    assert gateway.ask("GET", "/api/v1/users/me", headers=headers).status == 200


@pytest.mark.parametrize("form", ["Bearer", "Basic {}", "{}", "Bearer {} x", "Bearer{}", "Bearer {},Bearer {}"])
def test_credentials_in_another_form_are_401(gateway: Any, services: Any, sign: Callable[..., str], form: str) -> None:
    token = sign()
    answer = gateway.ask("GET", "/api/v1/users/me", headers={"Authorization": form.format(token, token)})
    assert (answer.status, answer.json["code"]) == (401, "unauthenticated")
    assert services.user.count("GET", "/api/v1/users/me") == 0


@pytest.mark.parametrize("method", ["GET", "PATCH"])
@pytest.mark.parametrize("cookie", ["another", "garbled", "refresh-only"])
def test_a_bearer_token_wins_over_cookies_which_are_ignored(
    gateway: Any, services: Any, sign: Callable[..., str], read_internal: Any, method: str, cookie: str
) -> None:
    access = {"another": sign(sub="8", sid="session-8"), "garbled": "a.b.c", "refresh-only": ""}[cookie]
    bearer = sign(sub="7", sid="beside-cookies")
    answer = gateway.ask(
        method, "/api/v1/users/me", headers={**with_cookies(access, "r-8"), "Authorization": f"Bearer {bearer}"}
    )
    assert (answer.status, answer.values("Set-Cookie")) == (200, [])
    assert read_internal(services.user.last.values("X-Internal-Token")[0], "user-service")["sub"] == "7"
    assert services.user.count("POST", "/api/v1/tokens/refresh") == 0


def test_a_wrong_bearer_token_is_401_beside_good_cookies(gateway: Any, sign: Callable[..., str]) -> None:
    headers = {**with_cookies(sign(), "r-1"), "Authorization": "Bearer a.b.c"}
    answer = gateway.ask("GET", "/api/v1/users/me", headers=headers)
    assert (answer.status, answer.values("Set-Cookie")) == (401, [])


SETTING = [rule for rule in own_rules() if rule.effect is not Effect.NONE]
BROWSERS: list[dict[str, str]] = [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "https://app.example.com"}]
JSON = {"Content-Type": "application/json"}
ASKING, OLD_COOKIE = "?cookies=true", {"Cookie": "__Host-xinjing_rt=old"}


@pytest.mark.parametrize("rule", SETTING, ids=lambda rule: rule.name)
@pytest.mark.parametrize(
    ("headers", "query", "is_set"),
    [
        ({}, "", False),
        ({}, "?cookies=false", False),
        ({}, "?cookies=true&cookies=false", False),
        ({"Cookie": "theme=dark"}, "", False),
        ({}, ASKING, True),
        *((headers, "", True) for headers in BROWSERS),
        (OLD_COOKIE, "", None),  # Beside a bearer token it is ignored.
    ],
    ids=str,
)
def test_only_browsers_and_who_asks_get_cookies(
    gateway: Any,
    services: Any,
    sign: Callable[..., str],
    tokens_of: Callable[..., Any],
    answering_json: Any,
    rule: Rule,
    headers: dict[str, str],
    query: str,
    is_set: bool | None,
) -> None:
    bearer = {"Authorization": f"Bearer {sign(sid=uuid.uuid4().hex)}"}
    credentials = bearer if rule.access is Access.SIGNED_IN else {}
    services.user.on(rule.method, rule.path, answering_json(tokens_of()))
    body = b'{"refresh_token": "mine"}'
    answer = gateway.ask(rule.method, rule.path + query, headers={**JSON, **headers, **credentials}, body=body)
    expected = rule.access is Access.PUBLIC if is_set is None else is_set
    assert (answer.status, len(answer.values("Set-Cookie"))) == (200, 2 * expected)


def test_a_bearer_that_signs_out_leaves_the_cookies_of_another_session(
    gateway: Any, services: Any, sign: Callable[..., str]
) -> None:
    services.user.on("DELETE", "/api/v1/sessions/current", b"HTTP/1.1 204 NO CONTENT\r\n\r\n")
    mine, other = sign(sid="signs-out-by-bearer"), sign(sid="stays-in-the-jar")
    headers = {**with_cookies(other, "r"), "Authorization": f"Bearer {mine}"}
    answer = gateway.ask("DELETE", "/api/v1/sessions/current", headers=headers)
    assert (answer.status, answer.values("Set-Cookie")) == (204, [])
    assert gateway.ask("GET", "/api/v1/users/me", headers=with_cookies(other)).status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://shop.example.evil.example"}, 403),
        ({"Referer": "http://shop.example/"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "http://shop.example"}, 200),
        ({"Origin": "https://app.example.com", "Sec-Fetch-Site": "cross-site"}, 200),
    ],
)
def test_T40_an_unsafe_request_with_cookies_must_come_from_our_pages(
    gateway: Any, services: Any, sign: Callable[..., str], headers: dict[str, str], status: int
) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**with_cookies(sign()), **headers}.items())
    head = f"PATCH /api/v1/users/me HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{lines}\r\n"
    assert int(gateway.raw(head.encode()).split(b" ")[1]) == status
    assert services.user.count("PATCH", "/api/v1/users/me") == (status == 200)


def test_T40_reading_changes_no_session() -> None:
    assert {rule.effect for rule in own_rules() if rule.method == "GET"} == {Effect.NONE}


def test_reading_with_cookies_needs_no_proof(gateway: Any, sign: Callable[..., str]) -> None:
    headers = with_cookies(sign(), Sec_Fetch_Site="cross-site")
    assert gateway.ask("GET", "/api/v1/users/me", headers=headers).status == 200


def test_another_site_cannot_sign_a_browser_in(gateway: Any, services: Any) -> None:
    answer = gateway.send_json("POST", "/api/v1/sessions", {}, Sec_Fetch_Site="cross-site")
    assert (answer.status, answer.json["code"]) == (403, "cross_site_refused")
    assert services.user.requests == []


@pytest.mark.parametrize("rule", ADMIN_RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("roles", [[], ["editor", "Admin", "admins"]], ids=["no-role", "other-roles"])
def test_admin_rules_refuse_a_user_without_the_role(
    gateway: Any, services: Any, sign: Callable[..., str], rule: Rule, roles: list[str]
) -> None:
    path, bearer = rule.path.format(id=12), {"Authorization": f"Bearer {sign(roles=roles)}"}
    answer = gateway.ask(rule.method, path, headers=bearer)
    assert (answer.status, answer.json["code"]) == (403, "forbidden")
    assert [stub.count(rule.method, path) for stub in services.each()] == [0] * 4


@pytest.mark.parametrize("rule", ADMIN_RULES, ids=lambda rule: rule.name)
def test_admin_rules_let_an_admin_pass_and_nobody_without_a_session(
    gateway: Any, services: Any, sign: Callable[..., str], rule: Rule
) -> None:
    path, bearer = rule.path.format(id=12), {"Authorization": f"Bearer {sign(roles=['admin'])}"}
    assert gateway.ask(rule.method, path).status == 401
    assert [stub.count(rule.method, path) for stub in services.each()] == [0] * 4
    assert gateway.ask(rule.method, path, headers=bearer).status == 200
    assert getattr(services, rule.service.partition("-")[0]).count(rule.method, path) == 1


def test_a_change_needs_newer_revocations_than_a_read(
    redis: Redis, verifier: TokenVerifier, services: Any, sign: Callable[..., str], make_request: Any, clock: Any
) -> None:
    revocations = Revocations(redis, stale_seconds=5, lost_seconds=30, clock=clock, monotonic=clock)
    users = ServiceClient(services.user.url, name="user-service", own_name="gateway", tokens=InternalTokens("k" * 32))
    authentication = Authentication(
        verifier=verifier,
        revocations=revocations,
        token_refresh=TokenRefresh(users),
        cookies=SessionCookies(is_secure=True, session_days=30),
        same_site=SameSite(),
    )
    revocations.read_once()
    clock.now += 6
    bearer = f"Bearer {sign()}"
    assert authentication.authenticate(make_request("GET", Authorization=bearer), Access.SIGNED_IN).identity
    with pytest.raises(DependencyUnavailable):
        authentication.authenticate(make_request("PUT", Authorization=bearer), Access.SIGNED_IN)


@pytest.mark.parametrize("kind", ["session", "user"])
def test_w61_a_revoked_token_is_refused_within_five_seconds(
    gateway: Any, services: Any, redis: Redis, sign: Callable[..., str], kind: str
) -> None:
    user_id, session_id = {"session": "98", "user": "99"}[kind], f"revoked-by-{kind}"
    headers = {"Authorization": f"Bearer {sign(sid=session_id, sub=user_id)}"}
    assert gateway.ask("GET", "/api/v1/users/me", headers=headers).status == 200
    subject = {"session": session_id, "user": user_id}[kind]
    redis.xadd(
        "user:revocations", {"kind": kind, "id": subject, "through": session_id, "until": int(time.time()) + 900}
    )
    end = time.monotonic() + 5
    while gateway.ask("GET", "/api/v1/users/me", headers=headers).status == 200 and time.monotonic() < end:
        time.sleep(0.05)
    assert gateway.ask("GET", "/api/v1/users/me", headers=headers).status == 401


def test_limits_count_per_address(
    start_gateway: Callable[..., Any], services: Any, redis: Redis, tokens_of: Callable[..., Any]
) -> None:
    gateway = start_gateway(sms_codes_per_ip_per_minute="2", cookies_secure="false")
    asked = [gateway.send_json("POST", "/api/v1/sms-codes", {}) for _ in range(3)]
    assert [answer.status for answer in asked] == [200, 200, 429]
    assert asked[2].json["code"] == "too_many_requests"
    assert 1 <= int(asked[2].value("Retry-After")) <= 60
    classic = gateway.send_json("POST", "/passport/sms_code", {})
    assert (classic.status, classic.json) == (200, {"errno": "4201", "errmsg": "请求过于频繁，请稍后再试"})
    assert classic.value("Set-Cookie").startswith("csrf_token=")
    assert "Strict-Transport-Security" not in dict(asked[0].headers)
