"""Real processes around a session: Redis, user-service with two workers, two gateways, and a stub of sms-service."""

import itertools
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import requests

from local.redis_server import RedisServer

ROOT = Path(__file__).parents[2]
START_SECONDS = 60
PASSWORD = "correct horse battery"
STALE_SECONDS, LOST_SECONDS = 2.0, 6.0
_mobiles = itertools.count(13800000000)


def _every_code_is_right(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    body = json.dumps({"verified": True, "attempts_left": 0}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's.
        return


@pytest.fixture(scope="session")
def sms_service() -> Iterator[str]:
    """The address of a stub that finds every code right."""
    with make_server("127.0.0.1", 0, _every_code_is_right, handler_class=_Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def free_port() -> int:
    """Find a TCP port that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


class Process:
    """One service under gunicorn, as in production."""

    def __init__(self, service: str, env: dict[str, str], folder: Path, *, workers: int) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / f"{service}-{self.port}.log"
        own = {"SERVICE": service, "PORT": str(self.port), "METRICS_PORT": str(free_port())}
        self._env = {**os.environ, **env, **own, "WEB_CONCURRENCY": str(workers), "THREADS": "8"}
        self.start()

    def start(self) -> None:
        """Start it and wait until it is ready."""
        command = [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, env=self._env, cwd=ROOT, stdout=log, stderr=log)
        end = time.monotonic() + START_SECONDS
        while not self._is_ready():
            assert self._process.poll() is None, self._log.read_text()[-4000:]
            assert time.monotonic() < end, self._log.read_text()[-4000:]
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop it in order."""
        self._process.terminate()
        self._process.wait(30)

    def _is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except requests.RequestException:
            return False


@dataclass
class Accounts:
    """The processes, and how to start one more."""

    folder: Path
    redis: RedisServer
    env: dict[str, str]
    user: Process
    gateways: list[Process] = field(default_factory=list)

    def start_gateway(self) -> Process:
        """Start one more gateway."""
        return Process("gateway", self.env, self.folder, workers=1)

    def lose_redis_data(self) -> None:
        """Start Redis anew, without anything that it knew."""
        self.redis.stop()
        shutil.rmtree(self.folder / "redis")
        self.redis.start()

    def command(self, *words: str) -> str:
        """Run a command of user-service's operator."""
        command = [sys.executable, "-m", "flask", "--app", "user_service.app", *words]
        env = {**os.environ, **self.env}
        return subprocess.run(command, env=env, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture(scope="session")
def accounts(sms_service: str) -> Iterator[Accounts]:
    """The running system."""
    folder = Path(tempfile.mkdtemp(prefix="xj"))
    redis = RedisServer(folder / "redis", folder / "redis.sock")
    redis.start()
    user: Process | None = None
    gateways: list[Process] = []
    try:
        env = _environment(folder, redis.url, sms_service)
        migrate = [sys.executable, "-m", "flask", "--app", "user_service.app", "migrate"]
        subprocess.run(migrate, env={**os.environ, **env}, check=True, capture_output=True, timeout=60)
        user = Process("user-service", env, folder, workers=2)
        env["GATEWAY_USER_SERVICE_URL"] = user.url
        found = Accounts(folder, redis, env, user, gateways)
        gateways += [found.start_gateway(), found.start_gateway()]
        yield found
    finally:
        for process in [*gateways, *([user] if user else [])]:
            process.stop()
        redis.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _environment(folder: Path, redis_url: str, sms_service: str) -> dict[str, str]:
    key = secrets.token_urlsafe(32)
    limits = ("CAPTCHAS", "SMS_CODES", "USERS", "SESSIONS", "REFRESHES")
    nowhere = {f"GATEWAY_{name}_SERVICE_URL": "http://127.0.0.1:9" for name in ("CAPTCHA", "SMS", "NEWS")}
    return {
        **nowhere,
        **{f"GATEWAY_{name}_PER_IP_PER_MINUTE": "100000" for name in limits},
        "GATEWAY_REDIS_URL": redis_url,
        "GATEWAY_INTERNAL_TOKEN_KEY": key,
        "GATEWAY_COOKIES_SECURE": "false",
        "GATEWAY_REVOCATIONS_STALE_SECONDS": str(STALE_SECONDS),
        "GATEWAY_REVOCATIONS_LOST_SECONDS": str(LOST_SECONDS),
        "USER_DATABASE_URL": f"sqlite:///{folder / 'user.db'}",
        "USER_REDIS_URL": redis_url,
        "USER_SMS_SERVICE_URL": sms_service,
        "USER_CAPTCHA_SERVICE_URL": "http://127.0.0.1:9",
        "USER_MEDIA_DIR": str(folder / "media"),
        "USER_PASSWORD_KEYS": f"k1:{secrets.token_urlsafe(32)}",
        "USER_INTERNAL_TOKEN_KEY": key,
        "USER_REFRESH_TOKEN_KEY": secrets.token_urlsafe(32),
        "USER_SIGNING_KEY_FILE": str(folder / "keys" / "ring.json"),
        "USER_ARGON2_PROFILE": "weak_only_for_tests",
        "USER_LOGIN_FAILURES_PER_IP_PER_MINUTE": "100000",
        "USER_LOGIN_CAPTCHA_AFTER_FAILURES_PER_ACCOUNT": "100000",
        "USER_LOGIN_CAPTCHA_AFTER_FAILURES_PER_IP": "100000",
        "USER_CODE_CHECKS_PER_IP_PER_MINUTE": "100000",
    }


Ask = Callable[..., requests.Response]


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Send one request to a process: ``ask(gateway, "GET", "/…", token=…)``; keeps connections, and no cookies."""
    with requests.Session() as session:
        session.trust_env = False

        def send(process: Process, method: str, path: str, **options: Any) -> requests.Response:
            token = options.pop("token", None)
            headers = options.pop("headers", {}) | ({"Authorization": f"Bearer {token}"} if token else {})
            session.cookies.clear()
            return session.request(method, process.url + path, headers=headers, timeout=20, **options)

        yield send


@dataclass(frozen=True)
class Person:
    """Somebody with an account."""

    mobile: str
    tokens: dict[str, Any]


@pytest.fixture
def register(accounts: Accounts, ask: Ask) -> Callable[[], Person]:
    """Make an account."""

    def make() -> Person:
        mobile = str(next(_mobiles))
        body = {"mobile": mobile, "sms_code": "031415", "password": PASSWORD}
        answer = ask(accounts.gateways[0], "POST", "/api/v1/users", json=body)
        assert answer.status_code == 201, answer.text
        return Person(mobile, answer.json())

    return make


@pytest.fixture
def log_in(accounts: Accounts, ask: Ask) -> Callable[..., requests.Response]:
    """Log in by password, through a gateway."""

    def enter(mobile: str, password: str = PASSWORD, *, through: int = 0) -> requests.Response:
        return ask(
            accounts.gateways[through], "POST", "/api/v1/sessions", json={"mobile": mobile, "password": password}
        )

    return enter


@pytest.fixture
def seconds_until_refused(ask: Ask) -> Callable[..., float]:
    """Measure how long a gateway still takes a token."""

    def measure(gateway: Process, token: str, begun_at: float) -> float:
        while ask(gateway, "GET", "/api/v1/users/me", token=token).status_code != 401:
            assert time.monotonic() - begun_at < 10, "the token is still good after ten seconds"
            time.sleep(0.001)
        return time.monotonic() - begun_at

    return measure
