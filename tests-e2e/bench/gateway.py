"""What a request costs the gateway, by processor time, against Flask's bare answer under the same worker class.

One worker process of each. nginx is the service behind, with 2 kB of JSON; nginx and HAProxy in the gateway's place
show what the machine can do. The contenders run in turns, and each round gives one ratio.
"""

import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.accounts import signed_token
from bench.effort import Effort, NotMeasured, Tell
from bench.load import count_answers
from bench.table import Row, compare
from local.redis_server import RedisServer
from local.settings import free_ports
from stage.processes import ROOT, wait_until_ready
from stage.proxies import ProgramMissing, haproxy, nginx_proxy, nginx_service
from user_service.tokens.signing_key import new_key

_CONNECTIONS = 16
_START_SECONDS = 60
_ME, _LIST = "/api/v1/users/me", "/api/v1/news?limit=20"
_ANSWER = {"items": [{"id": number, "title": "x" * 170} for number in range(10)]}
_BARE = "Flask's bare answer"


@dataclass
class Contender:
    """A server, what is asked of it, and the microseconds of processors that each answer took, by round."""

    name: str
    process: "subprocess.Popen[bytes]"
    port: int
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    microseconds: list[float] = field(default_factory=list)

    def run_round(self, seconds: float) -> None:
        """Load it."""
        before = self._processor_seconds()
        answers = count_answers(self.port, self.path, headers=self.headers, connections=_CONNECTIONS, seconds=seconds)
        self.microseconds.append(1e6 * (self._processor_seconds() - before) / answers)

    def _processor_seconds(self) -> float:
        own = psutil.Process(self.process.pid)
        return sum(sum(process.cpu_times()[:2]) for process in (own, *own.children(recursive=True)))


def measure(effort: Effort, tell: Tell) -> Iterator[Row]:
    """Measure the gateway's ways to answer a read."""
    folder = Path(tempfile.mkdtemp(prefix="xj"))
    with ExitStack() as ends:
        ends.callback(shutil.rmtree, folder, ignore_errors=True)
        tell("starting nginx, HAProxy, the gateway and its yardsticks")
        try:
            contenders = _start(ends, folder)
        except ProgramMissing as error:
            raise NotMeasured(str(error)) from error
        for contender in contenders.values():
            contender.run_round(effort.call_seconds)
            contender.microseconds.clear()
        for number in range(2 * effort.rounds):
            tell(f"reads through the gateway and its yardsticks, round {number + 1} of {2 * effort.rounds}")
            for contender in contenders.values():
                contender.run_round(effort.round_seconds / 2)
    yield _compare(contenders["proxied"], contenders["hello"], _BARE, at_least=0.9)
    yield _compare(contenders["cached"], contenders["hello"], _BARE, at_least=1.5)
    yield _compare(contenders["proxied"], contenders["bare proxy"], "our bare proxy", at_least=0.8)
    for name in ("nginx", "HAProxy"):
        yield _compare(contenders[name], contenders["hello"], _BARE)


def _compare(ours: Contender, yardstick: Contender, against: str, *, at_least: float | None = None) -> Row:
    pairs = zip(ours.microseconds, yardstick.microseconds, strict=True)
    ratio = statistics.median(other / mine for mine, other in pairs)
    other = 1e6 / statistics.median(yardstick.microseconds)
    return compare(ours.name, ratio * other, other, unit="per CPU second", against=against, at_least=at_least)


def _start(ends: ExitStack, folder: Path) -> dict[str, Contender]:
    """Start all, and return them by a short name."""
    key = new_key()
    answers = folder / "answers"
    (answers / ".well-known").mkdir(parents=True)
    (answers / "answer.json").write_text(json.dumps(_ANSWER))
    (answers / ".well-known" / "jwks.json").write_text(json.dumps({"keys": [key.public_jwk()]}))
    service_port, nginx_port, haproxy_port = free_ports(3)
    ends.enter_context(nginx_service(folder, service_port))
    redis = RedisServer(folder / "redis", folder / "redis.sock")
    redis.start()
    ends.callback(redis.stop)
    env = _environment(redis.url, service_port)
    gateway = ends.enter_context(_gunicorn(folder, "gateway", env))
    hello = ends.enter_context(_gunicorn(folder, "hello", env, app="stage.hello:app"))
    bare = ends.enter_context(_gunicorn(folder, "bare-proxy", env, app="stage.bare_proxy:app"))
    nginx = ends.enter_context(nginx_proxy(folder, nginx_port, service_port=service_port))
    other = ends.enter_context(haproxy(folder, haproxy_port, service_port=service_port))
    bearer = {"Authorization": f"Bearer {signed_token(key, 1)}"}
    return {
        "hello": Contender(_BARE, *hello, "/"),
        "proxied": Contender("a signed-in read, proxied", *gateway, _ME, bearer),
        "cached": Contender("an anonymous read, from the cache", *gateway, _LIST),
        "bare proxy": Contender("our bare proxy", *bare, _ME),
        "nginx": Contender("the same through nginx", nginx, nginx_port, _ME),
        "HAProxy": Contender("the same through HAProxy", other, haproxy_port, _ME),
    }


def _environment(redis_url: str, service_port: int) -> dict[str, str]:
    services = {f"GATEWAY_{name}_SERVICE_URL" for name in ("CAPTCHA", "SMS", "USER", "NEWS")}
    return {
        **dict.fromkeys(services, f"http://127.0.0.1:{service_port}"),
        "GATEWAY_REDIS_URL": redis_url,
        "GATEWAY_INTERNAL_TOKEN_KEY": secrets.token_urlsafe(32),
        "GATEWAY_COOKIES_SECURE": "false",
        "SERVICE": "gateway",
        "WEB_CONCURRENCY": "1",
        "UPSTREAM_PORT": str(service_port),
    }


@contextmanager
def _gunicorn(
    folder: Path, name: str, env: dict[str, str], *, app: str | None = None
) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """Run an app as the gateway is deployed, and give its process and port."""
    port, metrics_port = free_ports(2)
    path = os.pathsep.join([str(ROOT / "tests-e2e"), os.environ.get("PYTHONPATH", "")])
    own = {"PORT": str(port), "METRICS_PORT": str(metrics_port), "PYTHONPATH": path}
    command = [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", *([app] if app else [])]
    log = folder / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, env={**os.environ, **env, **own}, cwd=ROOT, stdout=out, stderr=out)
    try:
        wait_until_ready(process, port, log, seconds=_START_SECONDS)
        yield process, port
    finally:
        process.terminate()
        process.wait(30)
