"""The gateway's parts by themselves: rules, addresses, revocations, limits, documents, settings."""

import os
import subprocess
import sys
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest
from pydantic import ValidationError
from redis import Redis

from chassis.errors import DependencyUnavailable, RequestRefused, TooManyRequests, Unauthenticated
from chassis.redis_client import connect_redis
from chassis.web import Access
from gateway.app import create_app
from gateway.documents import merge
from gateway.incoming import Reception
from gateway.limits import AddressLimits
from gateway.revocations import Revocations
from gateway.rules import RULES, Limit, Rule, RuleTable, Service
from gateway.settings import Settings
from gateway.verifier import Identity


@pytest.fixture
def settings(redis_url: str) -> Settings:
    return settings_with(redis_url)


def settings_with(redis_url: str, **changed: Any) -> Settings:
    services = {f"{name}_service_url": f"http://{name}:8000" for name in ("captcha", "sms", "user", "news")}
    values = {"redis_url": redis_url, "internal_token_key": "k" * 32, **services, **changed}
    return Settings.model_validate(values)


SESSION = "00000000c350" + "5" * 20
EARLIER, LATER = "00000000c350" + "4" * 20, "00000000c350" + "6" * 20


def identity(**changed: Any) -> Identity:
    values = {"user_id": 7, "session_id": SESSION, "roles": frozenset(), "auth_time": 900}
    return Identity(**{**values, "expires_at": 1600, **changed})


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_path_written_out_wins_over_a_placeholder() -> None:
    table = RuleTable()
    assert table.methods("/api/v1/users/me")["GET"].access is Access.SIGNED_IN
    assert table.methods("/api/v1/users/12")["GET"].access is Access.PUBLIC
    assert table.methods("/api/v1/users/") == table.methods("/api/v1/users/1/2") == {}


def test_head_follows_get() -> None:
    assert RuleTable().methods("/api/v1/news")["HEAD"].name == "GET /api/v1/news"


def test_no_two_rules_say_the_same() -> None:
    with pytest.raises(ValueError, match="two rules"):
        RuleTable((*RULES, RULES[0]))


def test_every_limit_has_its_setting() -> None:
    assert {f"{limit}_per_ip_per_minute" for limit in Limit} <= set(Settings.model_fields)


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("9.9.9.9", "6.6.6.6", "9.9.9.9"),
        ("10.0.0.1", "6.6.6.6", "6.6.6.6"),
        ("10.0.0.1", "1.1.1.1, 6.6.6.6", "6.6.6.6"),
        ("10.0.0.1", "1.1.1.1, 6.6.6.6, 10.0.0.2", "6.6.6.6"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
    ],
)
def test_w04_only_our_proxies_say_who_the_client_is(peer: str, forwarded: str, expected: str) -> None:
    environ = environ_of(peer, HTTP_X_FORWARDED_FOR=forwarded, HTTP_X_FORWARDED_PROTO="https")
    incoming = Reception((ip_network("10.0.0.0/8"),)).read(environ)
    assert incoming.client_ip == expected
    assert incoming.scheme == ("https" if peer == "10.0.0.1" else "http")


def test_a_proxy_that_names_no_address_is_refused() -> None:
    with pytest.raises(RequestRefused):
        Reception((ip_network("10.0.0.0/8"),)).read(environ_of("10.0.0.1", HTTP_X_FORWARDED_FOR="6.6.6.6, unknown"))


def environ_of(peer: str, **headers: str) -> dict[str, Any]:
    head = {"REQUEST_METHOD": "GET", "RAW_URI": "/", "HTTP_HOST": "h", "wsgi.url_scheme": "http"}
    return {**head, "REMOTE_ADDR": peer, **headers}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def other_redis(redis: Redis, redis_url: str) -> Redis:
    """A database that the running gateway does not read."""
    return connect_redis(f"{redis_url}?db=1")


@pytest.fixture
def revocations(other_redis: Redis, clock: Clock) -> Revocations:
    return Revocations(other_redis, stale_seconds=5, lost_seconds=30, clock=clock, monotonic=clock)


def revoke(redis: Redis, kind: str, subject: str = "", **fields: Any) -> None:
    redis.xadd("user:revocations", {"kind": kind, "id": subject, "until": "1900", **fields})


def test_what_stood_in_the_stream_before_the_start_counts(other_redis: Redis, revocations: Revocations) -> None:
    revoke(other_redis, "session", SESSION)
    revocations.read_once()
    assert revocations.is_dead(identity())
    assert not revocations.is_dead(identity(session_id=LATER))


@pytest.mark.parametrize(
    ("kind", "subject", "fields", "expected"),
    [
        ("user", "7", {"through": SESSION}, True),
        ("user", "7", {"through": LATER}, True),
        ("user", "7", {"through": EARLIER}, False),
        ("user", "8", {"through": LATER}, False),
        ("all", "", {"through": SESSION}, True),
        ("all", "", {"through": EARLIER}, False),
        ("keys", "", {}, False),
    ],
)
def test_a_cut_off_kills_the_sessions_up_to_an_id(
    other_redis: Redis, revocations: Revocations, kind: str, subject: str, fields: dict[str, str], expected: bool
) -> None:
    revocations.read_once()
    revoke(other_redis, kind, subject, **fields)
    revocations.read_once()
    assert revocations.is_dead(identity()) is expected


@pytest.mark.parametrize("fields", [{"kind": "user"}, {"kind": "user", "id": "7", "until": "x"}, {"other": "1"}])
def test_an_entry_that_nobody_can_read_ends_every_session_so_far(
    other_redis: Redis, revocations: Revocations, clock: Clock, fields: dict[str, str]
) -> None:
    other_redis.xadd("user:revocations", fields)
    revocations.read_once()
    now = int(clock.now * 1000)
    assert revocations.is_dead(identity(session_id=f"{now:012x}" + "0" * 20))
    assert not revocations.is_dead(identity(session_id=f"{now + 1:012x}" + "0" * 20))


def test_an_older_cut_off_takes_nothing_back(other_redis: Redis, revocations: Revocations) -> None:
    for kind, subject in (("user", "7"), ("all", "")):
        revoke(other_redis, kind, subject, through=SESSION)
        revoke(other_redis, kind, subject, through=EARLIER)
    revocations.read_once()
    assert revocations.is_dead(identity())


def test_entries_are_forgotten_when_their_tokens_have_died(
    other_redis: Redis, revocations: Revocations, clock: Clock
) -> None:
    revoke(other_redis, "session", SESSION)
    revoke(other_redis, "user", "8", through=LATER)
    revocations.read_once()
    clock.now = 1900
    revocations.read_once()
    assert revocations.is_dead(identity())
    assert revocations.is_dead(identity(user_id=8))
    clock.now = 2000
    revocations.read_once()
    assert not revocations.is_dead(identity())
    assert not revocations.is_dead(identity(user_id=8))


def test_a_stream_that_redis_lost_is_not_forgotten_here(other_redis: Redis, revocations: Revocations) -> None:
    revoke(other_redis, "session", SESSION)
    revocations.read_once()
    other_redis.delete("user:revocations")
    revocations.read_once()
    assert revocations.age_seconds() == 0
    assert revocations.is_dead(identity())
    revocations.read_once()
    revoke(other_redis, "session", LATER)
    revocations.read_once()
    assert revocations.is_dead(identity(session_id=LATER))


def test_a_new_stream_with_lower_ids_is_read_from_its_start(other_redis: Redis, revocations: Revocations) -> None:
    revoke(other_redis, "session", SESSION)
    revocations.read_once()
    other_redis.delete("user:revocations")
    other_redis.xadd("user:revocations", {"kind": "session", "id": LATER, "until": "1900"}, id="1-1")
    revocations.read_once()
    revocations.read_once()
    assert revocations.is_dead(identity())
    assert revocations.is_dead(identity(session_id=LATER))


def test_changed_keys_are_passed_on(other_redis: Redis) -> None:
    heard: list[str] = []
    revocations = Revocations(other_redis, stale_seconds=5, lost_seconds=30, on_new_keys=lambda: heard.append("keys"))
    revocations.read_once()
    revoke(other_redis, "keys")
    revocations.read_once()
    assert heard == ["keys"]


def test_an_unread_stream_stops_changes_first_and_then_reads(revocations: Revocations, clock: Clock) -> None:
    with pytest.raises(DependencyUnavailable):
        revocations.check(identity(), is_unsafe=False)
    revocations.read_once()
    revocations.ping()
    clock.now += 5
    revocations.check(identity(), is_unsafe=True)
    clock.now += 0.1
    with pytest.raises(DependencyUnavailable):
        revocations.check(identity(), is_unsafe=True)
    with pytest.raises(DependencyUnavailable):
        revocations.ping()
    revocations.check(identity(), is_unsafe=False)
    clock.now += 25
    with pytest.raises(DependencyUnavailable):
        revocations.check(identity(), is_unsafe=False)


def test_a_session_that_ended_here_is_dead_at_once(revocations: Revocations) -> None:
    revocations.read_once()
    revocations.end_session(SESSION)
    with pytest.raises(Unauthenticated):
        revocations.check(identity(), is_unsafe=False)


def test_an_ipv6_subscriber_is_counted_as_a_network(redis: Redis, redis_url: str) -> None:
    limits = AddressLimits(settings_with(redis_url, sessions_per_ip_per_minute=1))
    limits.charge(Limit.SESSIONS, "2001:db8:1:2:3:4:5:6")
    limits.charge(Limit.SESSIONS, "2001:db8:1:3::1")
    with pytest.raises(TooManyRequests):
        limits.charge(Limit.SESSIONS, "2001:db8:1:2::9")


def test_addresses_that_nobody_can_read_share_one_count(redis: Redis, redis_url: str) -> None:
    limits = AddressLimits(settings_with(redis_url, sessions_per_ip_per_minute=1))
    limits.charge(Limit.SESSIONS, "unreadable")
    with pytest.raises(TooManyRequests):
        limits.charge(Limit.SESSIONS, "")


def test_addresses_have_their_own_counts(redis: Redis, redis_url: str) -> None:
    limits = AddressLimits(settings_with(redis_url, sessions_per_ip_per_minute=1))
    limits.charge(Limit.SESSIONS, "1.1.1.1")
    limits.charge(Limit.SESSIONS, "2.2.2.2")
    limits.charge(Limit.USERS, "1.1.1.1")
    with pytest.raises(TooManyRequests) as refused:
        limits.charge(Limit.SESSIONS, "1.1.1.1")
    assert 1 <= (refused.value.retry_after_seconds or 0) <= 60
    assert all(key.startswith("gateway:limits") for key in redis.scan_iter())


def test_without_redis_the_limits_let_pass_and_cost_no_time() -> None:
    clock = Clock()
    limits = AddressLimits(settings_with("unix:///nowhere/redis.sock", sessions_per_ip_per_minute=1), clock=clock)
    for _ in range(5):
        limits.charge(Limit.SESSIONS, "1.1.1.1")


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


def test_lists_in_settings_are_written_with_commas(redis_url: str) -> None:
    found = settings_with(redis_url, trusted_proxies="10.0.0.0/8, ::1/128", allowed_origins="https://a.example")
    assert found.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1/128"))
    assert found.allowed_origins == ("https://a.example",)


@pytest.mark.parametrize(
    "changed",
    [
        {"user_service_url": "ftp://x"},
        {"internal_token_key": "short"},
        {"sessions_per_ip_per_minute": 0},
        {"trusted_proxies": "everybody"},
        {"allowed_origins": "https://a.example/path"},
    ],
    ids=str,
)
def test_wrong_settings_are_refused(redis_url: str, changed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings_with(redis_url, **changed)


def test_the_own_pages_answer(gateway: Any, services: Any, answering_json: Callable[..., bytes]) -> None:
    message = {"mobile": "+8613800138000", "text": "<b>123456</b>", "sent_at": "2026-01-01T00:00:00Z"}
    services.sms.on("GET", "/internal/inbox/messages", answering_json({"items": [message]}))
    page = gateway.ask("GET", "/inbox")
    assert (page.status, b"&lt;b&gt;123456" in page.body) == (200, True)
    assert gateway.ask("GET", "/inbox/messages?mobile=138%200013%208000").json == {"items": [message]}
    assert services.sms.last.target == "/internal/inbox/messages?mobile=138+0013+8000"
    services.sms.on("GET", "/internal/inbox/messages", answering_json({"code": "not_found"}, "404 NOT FOUND"))
    assert (gateway.ask("GET", "/inbox").status, gateway.ask("GET", "/inbox/messages").status) == (404, 404)


def test_the_documentation_needs_nothing_from_elsewhere(gateway: Any) -> None:
    page = gateway.ask("GET", "/docs")
    assert (page.status, b"://" in page.body) == (200, False)
    assert "'unsafe-inline'" not in page.value("Content-Security-Policy").partition("style-src")[0]
    files = ["swagger-ui.css", "swagger-ui-bundle.js", "start.js", "inbox.css"]
    assert [gateway.ask("GET", f"/docs/{name}").status for name in files] == [200] * 4
    assert gateway.ask("GET", "/docs/nothing.js").status == 404


def test_one_document_for_all_services(gateway: Any, services: Any, answering_json: Callable[..., bytes]) -> None:
    document = {"paths": {"/api/v1/categories": {"get": operation("list")}}, "components": {"schemas": {}}}
    services.news.on("GET", "/internal/openapi.json", answering_json(document))
    answer = gateway.ask("GET", "/api/v1/openapi.json")
    assert answer.json["paths"]["/api/v1/categories"]["get"]["tags"] == ["news-service"]


def test_health_says_what_is_missing(gateway: Any) -> None:
    assert gateway.ask("GET", "/healthz").json == {"status": "up"}
    checks = gateway.ask("GET", "/readyz").json["checks"]
    assert set(checks.values()) == {"up"}
    assert len(checks) == 3


def test_these_are_all_endpoints_of_the_gateways_own(redis_url: str, services: Any) -> None:
    app = create_app(settings_with(redis_url, user_service_url=services.user.url))
    app.extensions["parts"].stop_threads()
    passport = {"image_code", "imageCode", "sms_code", "smscode", "register", "login", "logout"}
    own = {"/healthz", "/readyz", "/docs", "/docs/<name>", "/api/v1/openapi.json", "/inbox", "/inbox/messages"}
    assert {rule.rule for rule in app.url_map.iter_rules()} == own | {f"/passport/{name}" for name in passport}


@pytest.mark.parametrize("origins", ["*", "null", "https://*.example.com", "https://a.example,*"])
def test_T44_no_wildcard_origin_may_use_a_cookie_session(redis_url: str, origins: str) -> None:
    with pytest.raises(ValidationError):
        settings_with(redis_url, allowed_origins=origins)


def test_T44_the_gateway_does_not_start_on_a_known_key(redis_url: str) -> None:
    variables = {f"GATEWAY_{name}_SERVICE_URL": "http://127.0.0.1:9" for name in ("CAPTCHA", "SMS", "USER", "NEWS")}
    variables |= {"GATEWAY_REDIS_URL": redis_url, "GATEWAY_INTERNAL_TOKEN_KEY": "k" * 32}
    command = [sys.executable, "-m", "gunicorn", "-b", "127.0.0.1:0", "gateway.app:create_app()"]
    env = {**os.environ, **variables}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert "GATEWAY_INTERNAL_TOKEN_KEY is a known or obvious key" in done.stderr
