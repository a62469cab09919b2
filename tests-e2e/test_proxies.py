"""The shipped configurations of nginx, Caddy and a load balancer in front of the compose stack, with real clients."""

import datetime
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from local.settings import free_ports

pytestmark = [pytest.mark.compose, pytest.mark.timeout(300)]
CONFIGURATIONS = Path(__file__).parents[1] / "deploy/proxies"
NAME = "news.example.com"
WAIT_SECONDS = 60
PER_MINUTE = 2
# Where each image looks for its configuration.
IMAGES = {
    "nginx.conf": ("nginx:1.26", "/etc/nginx/conf.d/default.conf"),
    "load-balancer.conf": ("nginx:1.26", "/etc/nginx/conf.d/default.conf"),
    "Caddyfile": ("caddy:2", "/etc/caddy/Caddyfile"),
}
EVERY_CONFIGURATION = pytest.mark.parametrize("configuration", IMAGES)
# What a client may try, to be taken for another one or for several.
FORGED = ("X-Forwarded-For", "X-Real-IP", "Forwarded")


@dataclass(frozen=True)
class Proxy:
    """A proxy on this machine, and clients with addresses of their own: all of 127.0.0.0/8 is this machine."""

    port: int
    plain_port: int
    certificate: Path

    def ask(
        self, method: str, path: str, *, client: int, headers: dict[str, str] | None = None, body: Any = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request over TLS from 127.0.0.<client>."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        plain = socket.create_connection(("127.0.0.1", self.port), WAIT_SECONDS, (f"127.0.0.{client}", 0))
        connection = http.client.HTTPConnection(f"{NAME}:{self.port}")
        with context.wrap_socket(plain, server_hostname=NAME) as connection.sock:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": "application/json", **(headers or {})})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of the site, in a folder with its key."""
    folder = tmp_path_factory.mktemp("tls")
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    signed = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), False).sign(key, hashes.SHA256())
    (folder / "fullchain.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "privkey.pem").write_bytes(text)
    return folder / "fullchain.pem"


@pytest.fixture(scope="module")
def limited_stack(stack: Any) -> Iterator[Any]:
    """The stack, which believes nobody but what it believes by default, with a small limit."""
    changed = {"GATEWAY_SMS_CODES_PER_IP_PER_MINUTE": str(PER_MINUTE)}
    stack.compose("up", "--detach", "--wait", "--no-deps", "gateway", variables=changed)
    yield stack
    stack.make_whole()


@pytest.fixture
def start_proxy(limited_stack: Any, certificate: Path, tmp_path: Path) -> Iterator[Callable[[str], Proxy]]:
    """Start a proxy with a shipped configuration; ports, and at Caddy the certificate, are changed for the test."""
    started: list[str] = []

    def start(configuration: str) -> Proxy:
        image, place = IMAGES[configuration]
        port, plain_port = free_ports(2)
        text = (CONFIGURATIONS / configuration).read_text()
        text = text.replace("127.0.0.1:8000", limited_stack.url.removeprefix("http://"))
        text = text.replace("listen 443", f"listen {port}").replace("listen 80;", f"listen {plain_port};")
        if configuration == "Caddyfile":
            tls = "tls /etc/nginx/tls/fullchain.pem /etc/nginx/tls/privkey.pem"
            text = text.replace(f"\n{NAME} {{\n", f"\n{NAME}:{port} {{\n\t{tls}\n")
            text = f"{{\n\tadmin off\n\thttp_port {plain_port}\n}}\n{text}"
        (tmp_path / configuration).write_text(text)
        folders = [f"{tmp_path / configuration}:{place}:ro", f"{certificate.parent}:/etc/nginx/tls:ro"]
        volumes = [word for folder in folders for word in ("--volume", folder)]
        command = ["docker", "run", "--detach", "--rm", "--network", "host", *volumes, image]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
        started.append(done.stdout.strip())
        proxy = Proxy(port, plain_port, certificate)
        wait_until_up(proxy, started[-1])
        return proxy

    yield start
    for container in started:
        subprocess.run(["docker", "stop", "--time", "1", container], check=False, capture_output=True, timeout=60)


def wait_until_up(proxy: Proxy, container: str) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            if proxy.ask("GET", "/healthz", client=1)[0] == 200:
                return
        except OSError:
            pass
        if time.monotonic() > end:
            done = subprocess.run(
                ["docker", "logs", container], capture_output=True, text=True, timeout=60, check=False
            )
            raise AssertionError(done.stderr[-2000:])
        time.sleep(0.2)


def gateway_lines(stack: Any, request_ids: set[str]) -> list[dict[str, Any]]:
    """Wait for the lines of these requests, which are written in batches."""
    end = time.monotonic() + WAIT_SECONDS
    while True:
        text = stack.compose("logs", "--no-log-prefix", "--no-color", "gateway")
        lines = [json.loads(line[line.index("{") :]) for line in text.splitlines() if "{" in line]
        found = [line for line in lines if line.get("request_id") in request_ids and line["event"] == "request"]
        if {line["request_id"] for line in found} == request_ids or time.monotonic() > end:
            return found
        time.sleep(0.2)


@EVERY_CONFIGURATION
def test_clients_behind_a_proxy_have_limits_of_their_own_and_cannot_forge_more(
    start_proxy: Callable[[str], Proxy], limited_stack: Any, configuration: str
) -> None:
    limited_stack.redis_command("FLUSHDB")
    proxy = start_proxy(configuration)

    def ask_code(client: int, **forged: str) -> int:
        return proxy.ask("POST", "/api/v1/sms-codes", client=client, headers=forged, body={})[0]

    clients = range(11, 25)
    assert [[ask_code(client) for _ in range(PER_MINUTE + 1)] for client in clients] == [[422, 422, 429]] * 14
    forged = [ask_code(30, **dict.fromkeys(FORGED, f"6.6.6.{number}")) for number in range(4)]
    assert forged == [422, 422, 429, 429]
    # What is no address, and that of the proxy itself, which is trusted, help no more.
    trusted = f"{os.environ.get('FRONT_NETWORK', '172.16.250')}.1"
    assert [ask_code(30, **{"X-Forwarded-For": text}) for text in ("unknown", trusted, f"7.7.7.7, {trusted}")] == [
        429
    ] * 3


@EVERY_CONFIGURATION
def test_the_log_names_the_client_and_readiness_has_no_remark_of_it(
    start_proxy: Callable[[str], Proxy], limited_stack: Any, configuration: str
) -> None:
    proxy = start_proxy(configuration)
    before = ignored(limited_stack)
    answers = [proxy.ask("GET", "/api/v1/categories", client=client) for client in (40, 41)]
    assert [status for status, _, _ in answers] == [200, 200]
    lines = gateway_lines(limited_stack, {headers["x-request-id"] for _, headers, _ in answers})
    assert [line["client_ip"] for line in lines] == ["127.0.0.0/24"] * 2
    assert ignored(limited_stack) == before


def ignored(stack: Any) -> list[str]:
    return re.findall(r"^gateway_forwarded_ignored_total.*$", stack.metrics("gateway"), re.MULTILINE)


@EVERY_CONFIGURATION
def test_a_page_of_the_site_may_sign_in_and_another_may_not(
    start_proxy: Callable[[str], Proxy], configuration: str
) -> None:
    proxy = start_proxy(configuration)
    body = {"mobile": "13800138000", "password": "not the password"}

    def log_in(origin: str) -> tuple[int, str]:
        status, _, text = proxy.ask("POST", "/api/v1/sessions", client=50, headers={"Origin": origin}, body=body)
        return status, json.loads(text)["code"]

    assert log_in(f"https://{NAME}:{proxy.port}") == (401, "credentials_wrong")
    assert log_in("https://evil.example")[0] == 403
    assert log_in(f"http://{NAME}:{proxy.port}")[0] == 403  # The proxy says https, and is believed.


@EVERY_CONFIGURATION
def test_no_answer_of_the_gateway_names_its_software(start_proxy: Callable[[str], Proxy], configuration: str) -> None:
    _, headers, _ = start_proxy(configuration).ask("GET", "/", client=60)
    assert "gunicorn" not in str(headers)


def test_plain_http_leads_to_tls(start_proxy: Callable[[str], Proxy]) -> None:
    proxy = start_proxy("nginx.conf")
    connection = http.client.HTTPConnection("127.0.0.1", proxy.plain_port, timeout=WAIT_SECONDS)
    connection.request("GET", "/news/1?a=b", headers={"Host": NAME})
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Location")) == (301, f"https://{NAME}/news/1?a=b")
    connection.close()
