"""Accounts as processes on this machine: Redis, user-service, gateways, and a played sms-service."""

import asyncio
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from local.redis_server import RedisServer
from local.settings import free_ports
from stage.http_stub import HttpStub, Request, response
from stage.processes import ROOT, wait_until_ready

START_SECONDS = 60
STALE_SECONDS, LOST_SECONDS = 2.0, 6.0


class Codes(HttpStub):
    """Plays sms-service: finds every code right, or every code wrong."""

    def __init__(self, *, are_right: bool) -> None:
        super().__init__()
        self._answer = response(json.dumps({"verified": are_right, "attempts_left": 0 if are_right else 4}).encode())

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Say it."""
        writer.write(self._answer)


class Process:
    """One service under gunicorn, as in production; its clock may be wrong."""

    def __init__(
        self,
        service: str,
        env: dict[str, str],
        folder: Path,
        *,
        workers: int,
        threads: int = 8,
        clock_ahead_seconds: int = 0,
    ) -> None:
        self.port, metrics_port = free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"{service}-{self.port}.log"
        own = {"SERVICE": service, "PORT": str(self.port), "METRICS_PORT": str(metrics_port)}
        self._env = {**os.environ, **env, **own, "WEB_CONCURRENCY": str(workers), "THREADS": str(threads)}
        self._app: list[str] = []
        if clock_ahead_seconds:
            self._app = ["stage.shifted_clock:create_app()"]
            path = os.pathsep.join([str(ROOT / "tests-e2e"), self._env.get("PYTHONPATH", "")])
            self._env |= {"PYTHONPATH": path, "STAGE_CLOCK_AHEAD_SECONDS": str(clock_ahead_seconds)}
        self.start()

    def start(self) -> None:
        """Start it and wait until it is ready."""
        command = [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", *self._app]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, env=self._env, cwd=ROOT, stdout=log, stderr=log)
        try:
            wait_until_ready(self._process, self.port, self.log, seconds=START_SECONDS)
        except AssertionError:
            self.stop()
            raise

    def reload(self) -> None:
        """Put new workers in the place of the old ones, on the same sockets; return when the old ones are gone."""
        _, *old = self._whole()
        self._process.send_signal(signal.SIGHUP)
        _, alive = psutil.wait_procs(old, timeout=START_SECONDS)
        assert alive == []

    def stop(self) -> None:
        """Stop it in order."""
        self._process.terminate()
        self._process.wait(30)

    def kill(self) -> None:
        """End it with all its workers, without a last word."""
        self._signal(signal.SIGKILL)
        self._process.wait(30)

    def freeze(self) -> None:
        """Let it do nothing; the kernel still takes connections for it."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._whole():
            process.send_signal(number)

    def _whole(self) -> list[psutil.Process]:
        master = psutil.Process(self._process.pid)
        return [master, *master.children()]


@dataclass
class Accounts:
    """The processes, and how to start one more; all of them end with the system."""

    folder: Path
    redis: RedisServer
    env: dict[str, str]
    processes: list[Process] = field(default_factory=list)
    gateways: list[Process] = field(default_factory=list)

    @property
    def user(self) -> Process:
        """The first user-service."""
        return self.processes[0]

    def start_user_service(self, *, workers: int = 1, clock_ahead_seconds: int = 0) -> Process:
        """Start one more user-service on the same data; its clock may be wrong."""
        return self._start("user-service", self.env, workers, clock_ahead_seconds)

    def start_news_service(self) -> Process:
        """Start a news-service with the sample articles; gateways that start later forward to it."""
        for word in ("migrate", "seed"):
            self.command(word, app="news_service.app")
        news = self._start("news-service", self.env, 1, 0)
        self.env["GATEWAY_NEWS_SERVICE_URL"] = news.url
        return news

    def start_gateway(self, *, clock_ahead_seconds: int = 0, user_service: Process | None = None) -> Process:
        """Start one more gateway, in front of the first user-service or of another one."""
        env = self.env | {"GATEWAY_USER_SERVICE_URL": (user_service or self.user).url}
        return self._start("gateway", env, 1, clock_ahead_seconds)

    def _start(self, service: str, env: dict[str, str], workers: int, clock_ahead_seconds: int) -> Process:
        process = Process(service, env, self.folder, workers=workers, clock_ahead_seconds=clock_ahead_seconds)
        self.processes.append(process)
        return process

    def lose_redis_data(self) -> None:
        """Start Redis anew, without anything that it knew."""
        self.redis.stop()
        shutil.rmtree(self.folder / "redis")
        self.redis.start()

    def command(self, *words: str, app: str = "user_service.app") -> str:
        """Run a command of an operator, of user-service unless another app is named."""
        command = [sys.executable, "-m", "flask", "--app", app, *words]
        env = {**os.environ, **self.env}
        return subprocess.run(command, env=env, check=True, capture_output=True, text=True, timeout=60).stdout


@contextmanager
def running_accounts(*, gateways: int, codes_are_right: bool = True, **changed: str) -> Iterator[Accounts]:
    """Run it all in an empty folder; ``changed`` are further variables."""
    with Codes(are_right=codes_are_right) as codes:
        yield from _run(codes.url, gateways, changed)


def _run(sms_service: str, gateways: int, changed: dict[str, str]) -> Iterator[Accounts]:
    folder = Path(tempfile.mkdtemp(prefix="xj"))
    redis = RedisServer(folder / "redis", folder / "redis.sock")
    redis.start()
    accounts = Accounts(folder, redis, _environment(folder, redis.url, sms_service) | changed)
    try:
        accounts.command("migrate")
        accounts.start_user_service(workers=2)
        for _ in range(gateways):
            accounts.gateways.append(accounts.start_gateway())
        yield accounts
    finally:
        with ThreadPoolExecutor() as pool:
            list(pool.map(Process.stop, accounts.processes))
        redis.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _environment(folder: Path, redis_url: str, sms_service: str) -> dict[str, str]:
    key = secrets.token_urlsafe(32)
    limits = ("CAPTCHAS", "SMS_CODES", "USERS", "SESSIONS", "REFRESHES")
    nowhere = {f"GATEWAY_{name}_SERVICE_URL": "http://127.0.0.1:9" for name in ("CAPTCHA", "SMS", "NEWS")}
    return {
        **nowhere,
        **{f"GATEWAY_{name}_PER_IP_PER_MINUTE": "100000" for name in limits},
        "DRAIN_SECONDS": "0",  # Nobody is in front who would have to leave.
        "GATEWAY_REDIS_URL": redis_url,
        "GATEWAY_INTERNAL_TOKEN_KEY": key,
        "GATEWAY_COOKIES_SECURE": "false",
        "GATEWAY_REVOCATIONS_STALE_SECONDS": str(STALE_SECONDS),
        "GATEWAY_REVOCATIONS_LOST_SECONDS": str(LOST_SECONDS),
        "NEWS_DATABASE_URL": f"sqlite:///{folder / 'news.db'}",
        "NEWS_REDIS_URL": redis_url,
        "NEWS_USER_SERVICE_URL": "http://127.0.0.1:9",
        "NEWS_IMAGES_DIR": str(folder / "images"),
        "NEWS_INTERNAL_TOKEN_KEY": key,
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
