"""Servers that are compared by the processor time of an answer: they run in turns, and each round gives one ratio.

One worker process of each, under gunicorn as deployed, with nginx as the service behind.
"""

import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.effort import Effort, Tell
from bench.load import count_answers
from bench.table import Row, compare
from local.redis_server import RedisServer
from local.settings import free_ports
from stage.processes import ROOT, wait_until_ready
from stage.proxies import nginx_service
from user_service.tokens.signing_key import SigningKey, new_key

_CONNECTIONS = 16
_START_SECONDS = 60
_ANSWER = {"items": [{"id": number, "title": "x" * 170} for number in range(10)]}
Started = tuple["subprocess.Popen[bytes]", int]


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


@dataclass(frozen=True)
class Scene:
    """A folder, and the service and the Redis behind the servers, with the key that signs access tokens."""

    folder: Path
    service_port: int
    key: SigningKey
    env: dict[str, str]

    @contextmanager
    def run(self, name: str, *, app: str | None = None, **variables: str) -> Iterator[Started]:
        """Run an app as the gateway is deployed, the gateway itself by default; give its process and port."""
        port, metrics_port = free_ports(2)
        path = os.pathsep.join([str(ROOT / "tests-e2e"), os.environ.get("PYTHONPATH", "")])
        own = {"PORT": str(port), "METRICS_PORT": str(metrics_port), "PYTHONPATH": path}
        command = [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", *([app] if app else [])]
        log = self.folder / f"{name}.log"
        env = {**os.environ, **self.env, **own, **variables}
        with log.open("wb") as out:
            process = subprocess.Popen(command, env=env, cwd=ROOT, stdout=out, stderr=out)
        try:
            wait_until_ready(process, port, log, seconds=_START_SECONDS)
            yield process, port
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def scene() -> Iterator[Scene]:
    """Start the service, 2 kB of JSON from nginx, and Redis.

    Raises:
        ProgramMissing: nginx is not installed.
    """
    with ExitStack() as ends:
        folder = Path(tempfile.mkdtemp(prefix="xj"))
        ends.callback(shutil.rmtree, folder, ignore_errors=True)
        key = new_key()
        answers = folder / "answers"
        (answers / ".well-known").mkdir(parents=True)
        (answers / "answer.json").write_text(json.dumps(_ANSWER))
        (answers / ".well-known" / "jwks.json").write_text(json.dumps({"keys": [key.public_jwk()]}))
        (service_port,) = free_ports(1)
        ends.enter_context(nginx_service(folder, service_port))
        redis = RedisServer(folder / "redis", folder / "redis.sock")
        redis.start()
        ends.callback(redis.stop)
        yield Scene(folder, service_port, key, _environment(redis.url, service_port))


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


def run_rounds(contenders: Iterable[Contender], effort: Effort, tell: Tell, *, rounds: int) -> None:
    """Load all in turns, once to warm up and then in ``rounds`` times as many rounds as the effort has."""
    contenders = list(contenders)
    for contender in contenders:
        contender.run_round(effort.call_seconds)
        contender.microseconds.clear()
    count = rounds * effort.rounds
    for number in range(count):
        tell(f"round {number + 1} of {count}")
        for contender in contenders:
            contender.run_round(effort.round_seconds / rounds)


def ratio_of(ours: Contender, yardstick: Contender) -> float:
    """Return how many times the yardstick's processor time ours takes; the median of the rounds."""
    pairs = zip(ours.microseconds, yardstick.microseconds, strict=True)
    return statistics.median(mine / other for mine, other in pairs)


def compare_speeds(ours: Contender, yardstick: Contender, against: str, *, at_least: float | None = None) -> Row:
    """Compare answers per second of a processor."""
    other = 1e6 / statistics.median(yardstick.microseconds)
    speed = other / ratio_of(ours, yardstick)
    return compare(ours.name, speed, other, unit="per CPU second", against=against, at_least=at_least)


def compare_costs(ours: Contender, yardstick: Contender, *, at_most: float) -> Row:
    """Compare the processor time of an answer."""
    other = statistics.median(yardstick.microseconds)
    cost = other * ratio_of(ours, yardstick)
    return compare(ours.name, cost, other, unit="µs of CPU", against=yardstick.name, at_most=at_most)
