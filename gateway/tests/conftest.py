"""Stub services on real sockets, signed tokens, and the gateway under a real gunicorn."""

import base64
import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from redis import Redis

from gateway.auth.public_keys import PublicKeys, read_jwk_set
from gateway.auth.verifier import TokenVerifier
from gateway.proxy.forwarded import TrustedProxies
from gateway.proxy.request import ProxyRequest, read_request
from gateway.settings import Settings
from local.settings import free_ports

KEY_ID = "test-key-1"
# Drawn, because the gateway does not start on a key that anybody can read here.
INTERNAL_TOKEN_KEY = secrets.token_urlsafe(32)


@dataclass
class Seen:
    """One request as a service received it."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def names(self) -> set[str]:
        return {name.lower() for name, _ in self.headers}


Answer = bytes | Callable[[socket.socket], None]


def http_answer(status: str, body: bytes = b"", *lines: str) -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines])
    return head.encode("latin-1") + b"\r\n\r\n" + body


def json_answer(value: Any, status: str = "200 OK", *lines: str) -> bytes:
    return http_answer(status, json.dumps(value).encode(), "Content-Type: application/json", *lines)


class StubService:
    """A service made of a socket: records what arrives, answers as told, `{}` otherwise."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[Seen] = []
        self.answers: dict[tuple[str, str], list[Answer]] = {}
        self.broken = 0
        self._connections: set[socket.socket] = set()
        self._server = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port: int = self._server.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Refuse connections from now on; those that are open go on."""
        with suppress(OSError):  # It is closed already.
            self._server.shutdown(socket.SHUT_RDWR)  # Else the thread in `accept` would take one more.
        self._server.close()

    def break_connections(self) -> None:
        """End the connections that are open."""
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        self.requests.clear()
        self.answers.clear()

    def on(self, method: str, path: str, *answers: Answer) -> None:
        """Answer requests to a path; the last answer is repeated."""
        self.answers[method, path] = list(answers)

    def count(self, method: str, path: str) -> int:
        return Counter((seen.method, seen.target.partition("?")[0]) for seen in self.requests)[method, path]

    @property
    def last(self) -> Seen:
        return self.requests[-1]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self._connections.add(connection)
        try:
            with connection, connection.makefile("rb") as stream:
                while self._serve_one(connection, stream):
                    pass
        except OSError:
            self.broken += 1
        finally:
            self._connections.discard(connection)

    def _serve_one(self, connection: socket.socket, stream: Any) -> bool:
        first = stream.readline().decode("latin-1").split(" ")
        if len(first) != 3:
            return False
        headers = []
        while (line := stream.readline().decode("latin-1").rstrip("\r\n")) != "":
            name, _, value = line.partition(":")
            headers.append((name, value.strip()))
        seen = Seen(first[0], first[1], headers, b"")
        seen.body = _body(seen, stream)
        if seen.target != "/healthz":  # The gateway asks for it by itself when a service failed.
            self.requests.append(seen)
        waiting = self.answers.get((seen.method, seen.target.partition("?")[0]), [json_answer({})])
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if callable(answer):
            answer(connection)
            return False
        connection.sendall(answer)
        return True


def _body(seen: Seen, stream: Any) -> bytes:
    if seen.values("Content-Length"):
        length = int(seen.values("Content-Length")[0])
        body: bytes = stream.read(length)
        if len(body) < length:
            raise ConnectionResetError
        return body
    body = b""
    while seen.values("Transfer-Encoding"):
        size_line = stream.readline()
        if not size_line:
            raise ConnectionResetError
        size = int(size_line, 16)
        chunk = stream.read(size + 2)
        if size == 0:
            return body
        body += chunk[:-2]
    return body


@pytest.fixture
def internal_token_key() -> str:
    """What the running gateway signs its own tokens with."""
    return INTERNAL_TOKEN_KEY


@pytest.fixture(scope="session")
def signing_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="session")
def jwks(signing_key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    public = jwt.algorithms.ECAlgorithm.to_jwk(signing_key.public_key(), as_dict=True)
    return {"keys": [{**public, "kid": KEY_ID, "alg": "ES256", "use": "sig"}]}


@pytest.fixture(scope="session")
def sign(signing_key: ec.EllipticCurvePrivateKey) -> Callable[..., str]:
    """Write an access token as user-service does; claims and header can be changed, None removes one."""

    def write(header: dict[str, Any] | None = None, **changed: Any) -> str:
        now = int(time.time())
        claims = {
            "iss": "xinjing",
            "aud": "xinjing",
            "sub": "7",
            "sid": "session-7",
            "jti": "token-1",
            "iat": now,
            "exp": now + 600,
            "auth_time": now,
            "roles": [],
            **changed,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        head = {"kid": KEY_ID, "typ": "at+jwt", **(header or {})}
        return jwt.encode(claims, signing_key, algorithm="ES256", headers=head)

    return write


def encoded(data: bytes) -> str:
    """Write base64url without padding (RFC 7515 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.fixture
def sign_bytes(signing_key: ec.EllipticCurvePrivateKey) -> Callable[[bytes, bytes], str]:
    """Sign any header and payload, correctly."""

    def sign(header: bytes, payload: bytes) -> str:
        signed = f"{encoded(header)}.{encoded(payload)}"
        r, s = decode_dss_signature(signing_key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    return sign


@pytest.fixture
def sign_text(sign_bytes: Callable[[bytes, bytes], str]) -> Callable[[str, str], str]:
    """Sign any header and payload texts, correctly."""
    return lambda header, payload: sign_bytes(header.encode(), payload.encode())


@pytest.fixture(scope="session")
def public_keys(jwks: dict[str, Any]) -> PublicKeys:
    keys = PublicKeys(lambda: jwks)
    keys.refresh()
    assert read_jwk_set(jwks)
    return keys


@pytest.fixture
def verifier(public_keys: PublicKeys) -> TokenVerifier:
    return TokenVerifier(public_keys, issuer="xinjing", audience="xinjing")


@dataclass
class Services:
    captcha: StubService = field(default_factory=StubService)
    sms: StubService = field(default_factory=StubService)
    user: StubService = field(default_factory=StubService)
    news: StubService = field(default_factory=StubService)
    orders: StubService = field(default_factory=StubService)  # A service of the operator.

    def each(self) -> list[StubService]:
        """Those of ours."""
        return [self.captcha, self.sms, self.user, self.news]


@pytest.fixture
def start_stub() -> Iterator[Callable[..., StubService]]:
    """Start one more stub service, on a port of its own or on a given one."""
    with ExitStack() as ends:

        def start(port: int = 0) -> StubService:
            stub = StubService(port)
            ends.callback(stub.close)
            return stub

        yield start


@pytest.fixture(scope="session")
def running_services() -> Iterator[Services]:
    found = Services()
    yield found
    for stub in (*found.each(), found.orders):
        stub.close()


@pytest.fixture
def services(running_services: Services, jwks: dict[str, Any]) -> Services:
    """The stub services, with nothing received yet."""
    for stub in (*running_services.each(), running_services.orders):
        stub.forget()
    running_services.user.on("GET", "/.well-known/jwks.json", json_answer(jwks))
    return running_services


@dataclass
class Received:
    """An answer as a client sees it."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def value(self, name: str) -> str:
        found = self.values(name)
        assert len(found) == 1, (name, found)
        return found[0]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Gateway:
    """The gateway's port, with a plain client and a raw one."""

    port: int
    metrics_port: int
    log: Path
    process: "subprocess.Popen[bytes]"

    def ask(
        self, method: str, target: str, *, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> Received:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return Received(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def send_json(self, method: str, target: str, value: Any, **headers: str) -> Received:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return self.ask(
            method, target, headers={"Content-Type": "application/json", **named}, body=json.dumps(value).encode()
        )

    def lines_of(self, request_id: str) -> list[dict[str, Any]]:
        """Wait for the log lines of one request; they are written in batches."""
        end = time.monotonic() + 15
        while time.monotonic() < end:
            *texts, _unfinished = self.log.read_text().split("\n")
            lines = [json.loads(text) for text in texts]
            if found := [line for line in lines if line.get("request_id") == request_id]:
                return found
            time.sleep(0.05)
        raise AssertionError("no such line")

    def counts(self) -> dict[str, float]:
        """Read every sample of the internal port, by its name with its labels."""
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=15)
        try:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        finally:
            connection.close()
        samples = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in samples}

    def stop(self) -> None:
        """Stop it in order."""
        self.process.terminate()
        self.process.wait(60)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=15)

    def raw(self, request: bytes) -> bytes:
        """Send bytes, say that no more come, and read to the end."""
        with self.connect() as connection:
            connection.sendall(request)
            received = b""
            while part := connection.recv(65536):
                received += part
            return received


_CONFIGURATION = Path(__file__).parents[2] / "deploy/gunicorn.conf.py"


@pytest.fixture(scope="session")
def start_gateway(
    redis_url: str, running_services: Services, jwks: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Gateway]]:
    """Start the gateway under gunicorn as in production; settings are given without their prefix."""
    processes: list[subprocess.Popen[bytes]] = []
    folder = tmp_path_factory.mktemp("gateway")

    def start(**settings: str) -> Gateway:
        running_services.user.on("GET", "/.well-known/jwks.json", json_answer(jwks))
        port, metrics_port = free_ports(2)
        process = _spawn((port, metrics_port), folder, {**_settings(redis_url, running_services), **settings})
        processes.append(process)
        found = Gateway(port, metrics_port, folder / f"{port}.log", process)
        _await_ready(found, process)
        return found

    yield start
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(60)


def _settings(redis_url: str, services: Services) -> dict[str, str]:
    return {
        "redis_url": redis_url,
        "internal_token_key": INTERNAL_TOKEN_KEY,
        "captcha_service_url": services.captcha.url,
        "sms_service_url": services.sms.url,
        "user_service_url": services.user.url,
        "news_service_url": services.news.url,
        "upstream_read_seconds": "1.5",
        "trusted_proxies": "192.0.2.0/24",
        "allowed_origins": "https://app.example.com",
    }


def _spawn(ports: tuple[int, int], folder: Path, settings: dict[str, str]) -> subprocess.Popen[bytes]:
    variables = {f"GATEWAY_{name.upper()}": value for name, value in settings.items()}
    given = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    own = {"SERVICE": "gateway", "PORT": str(ports[0]), "METRICS_PORT": str(ports[1]), "THREADS": "16"}
    own["DRAIN_SECONDS"] = "0"  # Nobody is in front who would have to leave.
    command = [sys.executable, "-m", "gunicorn", "-c", str(_CONFIGURATION)]
    with (folder / f"{ports[0]}.log").open("wb") as log:
        return subprocess.Popen(command, env={**given, **variables, **own}, stderr=log)


def _await_ready(gateway: Gateway, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            if gateway.ask("GET", "/readyz").status == 200:
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError("the gateway did not get ready")


@pytest.fixture(scope="session")
def running_gateway(start_gateway: Callable[..., Gateway]) -> Gateway:
    return start_gateway()


@pytest.fixture
def gateway(running_gateway: Gateway, services: Services, redis: Redis) -> Gateway:
    """The gateway with secure cookies, empty limits, and services that have received nothing yet."""
    return running_gateway


@pytest.fixture
def tokens_of(sign: Callable[..., str]) -> Callable[..., dict[str, Any]]:
    """What user-service answers when a session starts."""

    def answer(refresh_token: str = "refresh-2", **claims: Any) -> dict[str, Any]:
        return {
            "access_token": sign(**claims),
            "token_type": "Bearer",
            "expires_in": 600,
            "refresh_token": refresh_token,
        }

    return answer


@pytest.fixture
def read_internal(internal_token_key: str) -> Callable[[str, str], dict[str, Any]]:
    """Read an internal token as the service that it is for."""
    return lambda token, audience: jwt.decode(token, internal_token_key, algorithms=["HS256"], audience=audience)


@pytest.fixture
def answering() -> Callable[..., bytes]:
    """Write a raw HTTP answer: ``answering("200 OK", b"body", "X-A: 1")``."""
    return http_answer


@pytest.fixture
def answering_json() -> Callable[..., bytes]:
    """Write a raw JSON answer: ``answering_json({...}, "201 CREATED")``."""
    return json_answer


@dataclass
class Clock:
    """A clock that stands still until a test moves it."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that a test moves."""
    return Clock()


@pytest.fixture
def make_settings(redis_url: str) -> Callable[..., Settings]:
    """Make the settings of a gateway, changed as a test says."""

    def make(**changed: Any) -> Settings:
        services = {f"{name}_service_url": f"http://{name}:8000" for name in ("captcha", "sms", "user", "news")}
        values = {"redis_url": redis_url, "internal_token_key": "k" * 32, **services, **changed}
        return Settings.model_validate(values)

    return make


@pytest.fixture
def make_request() -> Callable[..., ProxyRequest]:
    """Make a request to ``http://shop.example/``; headers are given by keyword: ``Sec_Fetch_Site="none"``."""

    def make(method: str = "GET", target: str = "/", **headers: str) -> ProxyRequest:
        environ = {
            **{"REQUEST_METHOD": method, "RAW_URI": target, "REMOTE_ADDR": "9.9.9.9", "wsgi.url_scheme": "http"},
            **{"HTTP_HOST": "shop.example"},
            **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
        }
        return read_request(environ, TrustedProxies().read_client(environ))

    return make
