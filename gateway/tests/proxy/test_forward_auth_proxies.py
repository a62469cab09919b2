"""The configurations in ``docs/forward-auth.md``, in real nginx and Caddy."""

import http.client
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from redis import Redis

from gateway.auth.identity_tokens import ISSUER, new_key_pem
from local.settings import free_ports

pytestmark = [pytest.mark.compose, pytest.mark.timeout(300)]
PAGE = Path(__file__).parents[3] / "docs/forward-auth.md"
NAME = "news.example.com"
WAIT_SECONDS = 60
# The language of the block in the page, the image, and where that looks for its configuration.
PROXIES = {
    "nginx": ("nginx:1.26", "/etc/nginx/conf.d/default.conf"),
    "caddyfile": ("caddy:2", "/etc/caddy/Caddyfile"),
}
BROWSER = {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]


@dataclass(frozen=True)
class Proxy:
    port: int

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, body: str | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_SECONDS)
        try:
            connection.request(method, path, body, {"Host": NAME, **(headers or {})})
            answer = connection.getresponse()
            answer.read()
            return Answer(answer.status, answer.getheaders())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def shared_gateway(start_gateway: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    file: Path = tmp_path_factory.mktemp("routes") / "orders.yaml"
    routes = re.search(r"`(services: .*)`", PAGE.read_text())
    assert routes is not None
    file.write_text(routes[1])
    return start_gateway(routes_file=str(file), identity_keys=new_key_pem(), trusted_proxies="127.0.0.0/8")


@pytest.fixture(scope="module", params=PROXIES)
def running_proxy(
    request: pytest.FixtureRequest, shared_gateway: Any, running_services: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    """A proxy with the configuration of the page; only ports, and TLS at Caddy, are changed."""
    image, place = PROXIES[request.param]
    block = re.search(rf"```{request.param}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert block is not None
    (port,) = free_ports(1)
    text = block[1].replace("127.0.0.1:8000", f"127.0.0.1:{shared_gateway.port}")
    text = text.replace("127.0.0.1:3000", f"127.0.0.1:{running_services.orders.port}")
    text = text.replace("listen 80;", f"listen 127.0.0.1:{port};")
    text = text.replace(f"{NAME} {{", f"{{\n\tadmin off\n}}\nhttp://{NAME}:{port} {{")
    file = tmp_path_factory.mktemp("proxy") / "configuration"
    file.write_text(text)
    command = ["docker", "run", "--detach", "--rm", "--network", "host", "--volume", f"{file}:{place}:ro", image]
    container = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout.strip()
    try:
        wait_until_up(Proxy(port), container)
        yield Proxy(port)
    finally:
        subprocess.run(["docker", "stop", "--time", "1", container], check=False, capture_output=True, timeout=60)


@pytest.fixture
def proxy(running_proxy: Proxy, services: Any, redis: Redis) -> Proxy:
    """The proxy, before services that have received nothing yet."""
    return running_proxy


def wait_until_up(proxy: Proxy, container: str) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            if proxy.ask("GET", "/healthz").status == 200:
                return
        except OSError:
            pass
        if time.monotonic() > end:
            done = subprocess.run(
                ["docker", "logs", container], capture_output=True, text=True, timeout=60, check=False
            )
            raise AssertionError(done.stderr[-2000:])
        time.sleep(0.2)


def session(sign: Callable[..., str]) -> dict[str, str]:
    return {"Cookie": f"theme=dark; __Host-xinjing_at={sign(sub='41')}"}


def test_a_signed_in_user_reaches_the_service_which_verifies_who_it_is(
    proxy: Proxy, services: Any, shared_gateway: Any, sign: Callable[..., str]
) -> None:
    forged = {"X-Identity": "a.b.c", "X-Original-Method": "HEAD", "X-Original-URI": "/x", "X-Forwarded-Uri": "/y"}
    assert proxy.ask("GET", "/orders/7?a=b", session(sign) | forged).status == 200
    (seen,) = services.orders.requests
    assert (seen.method, seen.target) == ("GET", "/orders/7?a=b")
    (identity,) = seen.values("X-Identity")
    keys = jwt.PyJWKSet.from_dict(shared_gateway.ask("GET", "/.well-known/gateway-jwks.json").json)
    key = keys[jwt.get_unverified_header(identity)["kid"]]
    assert jwt.decode(identity, key, algorithms=["ES256"], audience="orders", issuer=ISSUER)["sub"] == "41"
    assert {"cookie", "authorization"} & seen.names() == set()


def test_who_is_not_signed_in_gets_no_further(proxy: Proxy, services: Any) -> None:
    program = proxy.ask("GET", "/orders/7", {"X-Identity": "a.b.c", "Accept": "application/json"})
    assert (program.status, program.values("www-authenticate")) == (401, ["Bearer"])
    person = proxy.ask("GET", "/orders/7?a=b&c=d", BROWSER)
    assert person.status == 302
    (location,) = person.values("location")
    assert urlsplit(location)[:3] == ("http", NAME, "/")
    assert parse_qs(urlsplit(location).query) == {"login": ["1"], "next": [f"http://{NAME}/orders/7?a=b&c=d"]}
    assert services.orders.requests == []


def test_a_body_arrives_and_a_page_of_another_site_sends_none(
    proxy: Proxy, services: Any, sign: Callable[..., str]
) -> None:
    # A client that names another method is not believed, so it cannot make a change look like a read.
    forged = {"X-Original-Method": "GET", "X-Forwarded-Method": "GET"}
    other = session(sign) | forged | {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    assert proxy.ask("POST", "/orders/", other, "amount=1").status == 403
    assert services.orders.requests == []
    ours = session(sign) | {"Sec-Fetch-Site": "same-origin", "Origin": f"http://{NAME}"}
    assert proxy.ask("POST", "/orders/", ours, "amount=1").status == 200
    assert [seen.body for seen in services.orders.requests] == [b"amount=1"]


def test_both_cookies_of_a_session_that_goes_on_reach_the_browser(
    proxy: Proxy, services: Any, answering: Any, answering_json: Any, tokens_of: Callable[..., dict[str, Any]]
) -> None:
    services.user.on("POST", "/api/v1/tokens/refresh", answering_json(tokens_of("r-2")))
    services.orders.on("GET", "/orders/7", answering("200 OK", b"", "Set-Cookie: cart=9; Path=/"))
    answer = proxy.ask("GET", "/orders/7", {"Cookie": "__Host-xinjing_rt=r-1"})
    assert answer.status == 200
    cookies = {cookie.partition("=")[0]: cookie for cookie in answer.values("set-cookie")}
    assert set(cookies) == {"__Host-xinjing_at", "__Host-xinjing_rt", "cart"}
    assert cookies["__Host-xinjing_rt"].startswith("__Host-xinjing_rt=r-2;")
    assert all("HttpOnly" in cookies[f"__Host-xinjing_{name}"] for name in ("at", "rt"))


@pytest.mark.parametrize("path", ["/auth?service=orders", "/auth/orders", "/auth/sign-in"])
def test_clients_cannot_ask_for_an_identity(proxy: Proxy, sign: Callable[..., str], path: str) -> None:
    answer = proxy.ask("GET", path, session(sign) | {"X-Original-Method": "GET", "X-Forwarded-Method": "GET"})
    assert (answer.status, answer.values("x-identity")) == (404, [])


def test_the_rest_is_the_gateways(proxy: Proxy) -> None:
    assert proxy.ask("GET", "/.well-known/gateway-jwks.json").status == 200
