"""A service of the operator that answers to harm: what it sends hurts no session, no cache, and no service of ours."""

import socket
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from gateway.auth.identity_tokens import new_key_pem

ROUTES = """
services:
  shop: {{urls: ["{url}"], identity: token, timeout_seconds: 1}}
routes:
  - {{path: /shop/mine, methods: [GET, POST], service: shop, access: signed-in}}
  - {{path: /shop/offers, methods: [GET], service: shop, access: optional, cache_seconds: 60}}
  - {{path: /shop/prices, methods: [GET], service: shop, access: public, cache_seconds: 60}}
"""
MINE, OFFERS, PRICES, ME = "/shop/mine", "/shop/offers", "/shop/prices", "/api/v1/users/me"
_queries = count()
ACCESS, REFRESH = "__Host-xinjing_at", "__Host-xinjing_rt"


@pytest.fixture(scope="module")
def shared_gateway(start_gateway: Callable[..., Any], running_services: Any, tmp_path_factory: Any) -> Any:
    file: Path = tmp_path_factory.mktemp("routes") / "shop.yaml"
    file.write_text(ROUTES.format(url=running_services.orders.url))
    return start_gateway(routes_file=str(file), identity_keys=new_key_pem())


@pytest.fixture
def gateway(shared_gateway: Any, services: Any, redis: Redis) -> Any:
    """The gateway in front of the shop, whose answers a test writes."""
    return shared_gateway


@pytest.fixture
def session(sign: Callable[..., str]) -> dict[str, str]:
    """The cookies of somebody who is signed in."""
    return {"Cookie": f"{ACCESS}={sign()}; {REFRESH}=r-1"}


@pytest.fixture
def end_unharmed(gateway: Any, services: Any, session: dict[str, str], answering: Callable[..., bytes]) -> Any:
    """Check that the session, the shop and our services go on."""

    def check() -> None:
        services.orders.on("GET", MINE, answering("200 OK", b"mine"))
        assert [gateway.ask("GET", MINE, headers=session).body for _ in range(3)] == [b"mine"] * 3
        assert gateway.ask("GET", ME, headers=session).status == 200
        assert services.user.count("POST", "/api/v1/tokens/refresh") == 0

    return check


COOKIES = [
    f"{ACCESS}=forged; Path=/; Secure; HttpOnly",
    f"{REFRESH}=; Max-Age=0; Path=/; Secure",
    f"{ACCESS}; Path=/; Secure",
    f"  {ACCESS} = forged; Path=/; Secure",
    f"\t{REFRESH}\t=; Max-Age=0",
    f"={ACCESS}=forged",
    f" = {ACCESS} = forged",
    f"=={REFRESH}=",
    "__Host-rt=" + "0" * 32 + ".12." + "A" * 43,
    "=__Host-rt = " + "0" * 32 + ".12." + "A" * 43,
]


def test_no_cookie_that_a_browser_takes_for_the_sessions_arrives(
    gateway: Any, services: Any, session: dict[str, str], answering: Callable[..., bytes], end_unharmed: Any
) -> None:
    kept = ["cart=9; Path=/shop", f"my{ACCESS}=x", f"theme={ACCESS}=x", "__Host-rt=another-program's"]
    lines = [f"Set-Cookie: {cookie}" for cookie in (*COOKIES, *kept)]
    services.orders.on("GET", MINE, answering("200 OK", b"", *lines))
    answer = gateway.ask("GET", MINE, headers=session)
    assert (answer.status, answer.values("Set-Cookie")) == (200, kept)
    end_unharmed()


def test_a_service_speaks_neither_for_the_host_nor_for_a_user(
    gateway: Any, services: Any, session: dict[str, str], answering: Callable[..., bytes]
) -> None:
    gateway.ask("GET", MINE, headers=session)
    (identity,) = services.orders.last.values("X-Identity")
    ours = [f"X-Identity: {identity}", "X-User-Id: 1", "x-user-roles: admin", "X-Internal-Token: t"]
    whole_host = ['Clear-Site-Data: "cookies", "storage"', "Strict-Transport-Security: max-age=0"]
    in_front = ["X-Accel-Redirect: /internal/codes", "X-Sendfile: /etc/passwd"]
    services.orders.on("GET", MINE, answering("200 OK", b"", *ours, *whole_host, *in_front, "X-Shop: 1"))
    answer = gateway.ask("GET", MINE, headers=session)
    assert answer.value("Strict-Transport-Security") == "max-age=31536000; includeSubDomains"
    names = {name.lower() for name, _ in answer.headers} - {"strict-transport-security"}
    assert not names & {line.partition(":")[0].lower() for line in (*ours, *whole_host, *in_front)}
    assert answer.value("X-Shop") == "1"


def test_what_ends_a_session_at_our_services_ends_none_here(
    gateway: Any, services: Any, session: dict[str, str], answering_json: Callable[..., bytes], end_unharmed: Any
) -> None:
    for code, status in (("unauthenticated", "401 UNAUTHORIZED"), ("internal_token_refused", "403 FORBIDDEN")):
        services.orders.on("GET", MINE, answering_json({"code": code}, status))
        answer = gateway.ask("GET", MINE, headers=session)
        assert (answer.status, answer.values("Set-Cookie")) == (int(status[:3]), [])
    tokens = {"access_token": "a.b.c", "refresh_token": "forged", "expires_in": 600}
    services.orders.on("POST", MINE, answering_json(tokens, "201 CREATED"))
    answer = gateway.ask("POST", MINE, headers=session | {"Sec-Fetch-Site": "same-origin"}, body=b"")
    assert (answer.status, answer.values("Set-Cookie")) == (201, [])
    end_unharmed()


@pytest.mark.parametrize(
    "location",
    ["/internal/codes", "//internal/codes", "https://evil.example/", "http://127.0.0.1:9/internal", "/api/v1/users/me"],
)
def test_a_redirect_is_the_clients_and_leads_to_nothing_internal(
    gateway: Any,
    services: Any,
    session: dict[str, str],
    answering: Callable[..., bytes],
    location: str,
) -> None:
    services.orders.on("GET", MINE, answering("302 FOUND", b"", f"Location: {location}"))
    answer = gateway.ask("GET", MINE, headers=session)
    assert (answer.status, answer.value("Location"), answer.values("Set-Cookie")) == (302, location, [])
    assert len(services.orders.requests) == 1
    assert all(seen.target == "/.well-known/jwks.json" for each in services.each() for seen in each.requests)
    if "internal" in location and location.startswith("/"):
        assert gateway.ask("GET", location, headers=session).status in (400, 404)


def sends(text: bytes) -> Callable[[socket.socket], None]:
    """Send a text and close."""
    return lambda connection: connection.sendall(text)


def sends_without_end(begin: bytes, part: bytes) -> Callable[[socket.socket], None]:
    """Send a text and then another one until nobody takes it any more."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(begin)
        while True:
            connection.sendall(part)

    return answer


HEAD = b"HTTP/1.1 200 OK\r\n"
BROKEN = {
    "nothing": sends(b""),
    "half a head": sends(HEAD + b"Content-Le"),
    "half a body": sends(HEAD + b"Content-Length: 1000\r\n\r\nhalf"),
    "no HTTP": sends(b"SSH-2.0-OpenSSH\r\n"),
    "noise": sends(bytes(range(256)) * 8),
    "two lengths": sends(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    "another protocol": sends(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    "headers without end": sends_without_end(HEAD, b"X-Many: 1\r\n" * 1000),
    "one header without end": sends_without_end(HEAD + b"X-Long: ", b"x" * 10_000),
    "interim answers without end": sends_without_end(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100),
    "trailers without end": sends_without_end(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Trailer: 1\r\n" * 1000
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_nonsense_is_502_and_the_session_goes_on(
    gateway: Any, services: Any, session: dict[str, str], end_unharmed: Any, kind: str
) -> None:
    services.orders.on("GET", MINE, BROKEN[kind])
    answer = gateway.ask("GET", MINE, headers=session)
    assert (answer.status, answer.json["code"], answer.values("Set-Cookie")) == (502, "upstream_unavailable", [])
    end_unharmed()


def test_silence_is_504_and_the_session_goes_on(
    gateway: Any, services: Any, session: dict[str, str], end_unharmed: Any
) -> None:
    services.orders.on("GET", MINE, lambda connection: connection.recv(1))
    answer = gateway.ask("GET", MINE, headers=session)
    assert (answer.status, answer.values("Set-Cookie")) == (504, [])
    end_unharmed()


def test_an_answer_for_one_user_is_nobody_elses(
    gateway: Any, services: Any, sign: Callable[..., str], answering: Callable[..., bytes]
) -> None:
    """Two answers to one request: what the second user gets is asked for anew."""
    services.orders.on("GET", MINE, answering("200 OK", b"yours") + answering("200 OK", b"another's"))
    for sub in ("7", "8", "9"):
        answer = gateway.ask("GET", MINE, headers={"Authorization": f"Bearer {sign(sub=sub, sid=f's-{sub}')}"})
        assert answer.body == b"yours"
    assert services.orders.count("GET", MINE) == 3


@pytest.fixture
def new_query() -> Iterator[str]:
    """Queries that no test has asked with before, so that nothing is stored for them."""
    return map("?{}".format, _queries)


@pytest.mark.parametrize("lines", [[], ["Cache-Control: public, max-age=60"], ["CDN-Cache-Control: max-age=60"]])
def test_our_cache_keeps_nothing_that_was_written_for_a_user(
    gateway: Any,
    services: Any,
    session: dict[str, str],
    answering: Callable[..., bytes],
    lines: list[str],
    new_query: Iterator[str],
) -> None:
    target = OFFERS + next(new_query)
    services.orders.on("GET", OFFERS, answering("200 OK", b"for one", *lines))
    assert gateway.ask("GET", target, headers=session).body == b"for one"
    assert len(services.orders.last.values("X-Identity")) == 1
    services.orders.on("GET", OFFERS, answering("200 OK", b"for all", *lines))
    assert gateway.ask("GET", target).body == b"for all"
    # Nor does a user get what was stored for all.
    services.orders.on("GET", OFFERS, answering("200 OK", b"for one", *lines))
    assert gateway.ask("GET", target, headers=session).body == b"for one"


@pytest.mark.parametrize("path", [OFFERS, PRICES])
@pytest.mark.parametrize(
    ("headers", "lines"),
    [({}, ["Set-Cookie: cart=9"]), ({}, ["Cache-Control: private"]), ({"Cookie": "cart=9"}, [])],
    ids=["sets a cookie", "is private", "answers a cookie"],
)
def test_no_cache_keeps_what_may_be_personal(
    gateway: Any,
    services: Any,
    answering: Callable[..., bytes],
    path: str,
    headers: dict[str, str],
    lines: list[str],
    new_query: Iterator[str],
) -> None:
    target = path + next(new_query)
    services.orders.on("GET", path, answering("200 OK", b"personal", *lines))
    assert gateway.ask("GET", target, headers=headers).body == b"personal"
    services.orders.on("GET", path, answering("200 OK", b"for everybody"))
    answers = [gateway.ask("GET", target) for _ in range(2)]
    assert [answer.body for answer in answers] == [b"for everybody"] * 2
    assert answers[1].value("Cache-Status").startswith("xinjing; hit")
