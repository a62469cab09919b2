"""Counts the files that one request runs through: ``make walk``.

All services run in this one process, behind real sockets, and `sys.setprofile` notes every function of ours that runs
while a request is answered. Each flow is walked twice; the first time is not counted, because it fills caches. A file
counts if a function of it ran: importing it does not count, nor does what a background thread does meanwhile.
"""

import contextlib
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from types import FrameType
from typing import Any

import requests
from redis import Redis
from redis.commands.core import Script
from werkzeug.serving import WSGIRequestHandler, make_server

from local.redis_server import RedisServer
from local.settings import LocalSettings, environment, free_ports
from sms_service.codes.keys import WORKERS_KEY
from sms_service.queue.redis_stream import STREAM
from stage.vendor import Vendor

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "gateway": ROOT / "gateway" / "gateway",
    "captcha-service": ROOT / "captcha-service" / "captcha_service",
    "sms-service": ROOT / "sms-service" / "sms_service",
    "user-service": ROOT / "user-service" / "user_service",
    "news-service": ROOT / "news-service" / "news_service",
    "chassis": ROOT / "chassis" / "chassis",
}
PASSWORD = "walk through one request"
_ANSWER_SECONDS = 20
# Parts of the names of threads: what socketserver calls a thread that answers a request, and pools of ours.
_REQUEST_THREADS = ("process_request_thread", "hashing")
_WORKER_THREADS = ("MainThread", "send_")
Walk = dict[str, list[str]]


class Recorder:
    """Notes the files of ours whose functions run; make it before the threads that it shall see."""

    def __init__(self) -> None:
        self._paths: set[str] = set()
        self._is_on = self._sees_worker = False
        self._service_of = {
            str(path): name for name, folder in PACKAGES.items() for path in folder.rglob("*") if path.suffix == ".py"
        }
        self._lua = {path: path.read_text() for folder in PACKAGES.values() for path in folder.rglob("*.lua")}
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)

    @contextlib.contextmanager
    def record(self, *, with_worker: bool) -> Iterator[None]:
        """Note what runs in the ``with`` block: in the services, and in the SMS worker if a flow waits for it."""
        self._paths.clear()
        self._is_on, self._sees_worker = True, with_worker
        yield
        self._is_on = False

    def walk(self) -> Walk:
        """Return the files of the last recording below their service, in the order of their paths."""
        walk: Walk = {}
        for name, folder in PACKAGES.items():
            paths = sorted(Path(path) for path in self._paths if Path(path).is_relative_to(folder))
            walk |= {name: [str(path.relative_to(folder)) for path in paths]} if paths else {}
        return walk

    def _profile(self, frame: FrameType, event: str, _argument: object) -> None:
        if not self._is_on or event != "call" or frame.f_code.co_name == "<module>" or not self._is_of_a_request():
            return
        path = frame.f_code.co_filename
        if path in self._service_of:
            self._paths.add(path)
        elif frame.f_code is Script.__call__.__code__:
            script = frame.f_locals["self"].script
            script = script.decode() if isinstance(script, bytes) else script
            self._paths.update(str(path) for path, text in self._lua.items() if text in script)

    def _is_of_a_request(self) -> bool:
        name = threading.current_thread().name
        names = _REQUEST_THREADS + _WORKER_THREADS if self._sees_worker else _REQUEST_THREADS
        return any(part in name for part in names)


class Client:
    """A client like a mobile app's, and the steps of its flows."""

    def __init__(self, url: str, redis: Redis, vendor: Vendor) -> None:
        self._url = url
        self._redis = redis
        self._vendor = vendor
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def wait_until_ready(self) -> None:
        """Wait until the gateway knows the public keys and the revocations, and the SMS API a worker."""
        _wait_for(lambda: requests.get(f"{self._url}/readyz", timeout=_ANSWER_SECONDS).ok, "the gateway is ready")
        _wait_for(lambda: bool(self._redis.exists(WORKERS_KEY)), "a worker is alive")

    def solve_captcha(self) -> dict[str, str]:
        """Get a captcha and its answer."""
        captcha_id = self.call("POST", "/api/v1/captchas", json={})["id"]
        return {"captcha_id": captcha_id, "captcha_text": str(self._redis.get(f"captcha:answer:{captcha_id}"))}

    def ask_for_code(self, mobile: str, captcha: Mapping[str, str]) -> str:
        """Have a code texted, and return it when the worker has finished the job."""
        self.call("POST", "/api/v1/sms-codes", json={"mobile": mobile, "purpose": "register", **captcha})
        _wait_for(lambda: mobile in self._vendor.texts(), "the vendor has the text")
        _wait_for(lambda: self._redis.xlen(STREAM) == 0, "the worker has finished the job")
        return self._vendor.texts()[mobile][0].code

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Send one request and return the JSON of its answer, or the text of a page."""
        answer = self._http.request(method, self._url + path, timeout=_ANSWER_SECONDS, **options)
        assert answer.ok, f"{method} {path}: {answer.text}"
        return answer.json() if answer.headers["Content-Type"] == "application/json" else answer.text


def _wait_for(condition: Callable[[], bool], name: str) -> None:
    end = time.monotonic() + _ANSWER_SECONDS
    while not condition():
        assert time.monotonic() < end, f"after {_ANSWER_SECONDS} s it is not true that {name}"
        time.sleep(0.01)


def walk_all(recorder: Recorder, client: Client) -> dict[str, Walk]:
    """Walk each flow twice and return the files of each second walk."""
    walks: dict[str, Walk] = {}

    def walk(name: str, *request: Any, with_worker: bool = False, **options: Any) -> Any:
        send = client.ask_for_code if with_worker else client.call
        with recorder.record(with_worker=with_worker):
            result = send(*request, **options)
        walks[name] = recorder.walk()
        return result

    client.wait_until_ready()
    article_id = client.call("GET", "/api/v1/news?limit=1")["items"][0]["id"]
    for mobile in ("13800138001", "13800138002"):
        code = walk("one SMS", mobile, client.solve_captcha(), with_worker=True)
        account = {"mobile": mobile, "password": PASSWORD}
        walk("register", "POST", "/api/v1/users", json={**account, "sms_code": code})
        token = walk("login by password", "POST", "/api/v1/sessions", json=account)["access_token"]
        walk("users/me", "GET", "/api/v1/users/me", headers={"Authorization": f"Bearer {token}"})
        # The whole way: out of the gateway's cache, news-service would not be asked.
        walk("an article's page", "GET", f"/news/{article_id}", headers={"Cache-Control": "no-store"})
    return walks


@contextlib.contextmanager
def serve_all(env: Mapping[str, str]) -> Iterator[None]:
    """Serve the five services in threads of this process; their databases are migrated and seeded first."""
    # Imported here: their functions must be made after the recorder, and their settings come from the environment.
    import captcha_service.app
    import gateway.app
    import news_service.app
    import sms_service.app
    import user_service.app

    for app, command in ((user_service.app, "migrate"), (news_service.app, "migrate"), (news_service.app, "seed")):
        result = app.create_app().test_cli_runner().invoke(args=[command])
        assert result.exit_code == 0, result.output
    modules = {"CAPTCHA": captcha_service.app, "SMS": sms_service.app, "USER": user_service.app}
    modules |= {"NEWS": news_service.app, "GATEWAY": gateway.app}
    servers = []
    for prefix, module in modules.items():
        port = int(env["PORT" if prefix == "GATEWAY" else f"{prefix}_PORT"])
        os.environ["METRICS_PORT"] = env[f"{prefix}_METRICS_PORT"]
        servers.append(make_server("127.0.0.1", port, module.create_app(), threaded=True, request_handler=Quiet))
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield
    for server in servers:
        server.shutdown()


class Quiet(WSGIRequestHandler):
    """Keeps connections open, as production does, and writes no log."""

    protocol_version = "HTTP/1.1"

    def log(self, *_arguments: object) -> None:
        """Write nothing."""


def print_walks(walks: Mapping[str, Walk], *, shows_files: bool) -> None:
    """Print a table of counts, and below it the files of each flow."""
    services = [name for name in PACKAGES if any(name in walk for walk in walks.values())]
    print(f"{'files that run':18}", *(f"{name:>{len(name) + 1}}" for name in services), " all .py   .lua")
    for flow, walk in walks.items():
        python, lua = count(walk)
        print(f"{flow:18}", *(f"{len(walk.get(n, [])):{len(n) + 1}}" for n in services), f"{python:8} {lua:6}")
    for flow, walk in walks.items() if shows_files else ():
        print(f"\n{flow}")
        for service in services:
            for path in walk.get(service, []):
                print(f"  {service}: {path}")


def count(walk: Walk) -> tuple[int, int]:
    """Count the Python files and the Lua files of a walk."""
    paths = [path for files in walk.values() for path in files]
    return sum(path.endswith(".py") for path in paths), sum(path.endswith(".lua") for path in paths)


def walk_everything(folder: Path, recorder: Recorder) -> dict[str, Walk]:
    """Start everything with its data in a folder, and walk in a thread: the worker wants the main one for signals."""
    walks: dict[str, Walk] = {}
    server = RedisServer(folder / "redis", folder / "redis.sock")
    server.start()
    settings = LocalSettings(port=free_ports(1)[0], data_dir=folder)
    with (
        contextlib.ExitStack() as ends,
        Vendor() as vendor,
        Redis.from_url(server.url, decode_responses=True) as redis,
    ):
        ends.callback(server.stop)
        account = dict.fromkeys((f"SMS_YUNTONGXUN_{name}" for name in ("ACCOUNT_SID", "AUTH_TOKEN", "APP_ID")), "walk")
        own = {"PORT": str(settings.port), "SMS_ROUTES": "yuntongxun", "SMS_YUNTONGXUN_URL": vendor.url, **account}
        os.environ.update(environment(settings, server.url, {**os.environ, **own}))
        client = Client(f"http://127.0.0.1:{settings.port}", redis, vendor)

        def drive() -> None:
            try:
                walks.update(walk_all(recorder, client))
            finally:
                _wait_for(lambda: callable(signal.getsignal(signal.SIGTERM)), "the worker handles SIGTERM")
                os.kill(os.getpid(), signal.SIGTERM)

        with serve_all(os.environ):
            from sms_service.worker.__main__ import main as run_worker

            os.environ["METRICS_PORT"] = os.environ["SMS_WORKER_METRICS_PORT"]
            driver = threading.Thread(target=drive)
            driver.start()
            run_worker()
            driver.join()
    return walks


def main() -> int:
    """Print what was walked; with ``--files`` every file, with ``--json`` the numbers alone."""
    options, sys.argv = set(sys.argv[1:]), sys.argv[:1]
    recorder = Recorder()
    with tempfile.TemporaryDirectory(prefix="xj") as folder:
        log = Path(folder) / "log"
        with log.open("w") as file, contextlib.redirect_stderr(file):
            walks = walk_everything(Path(folder), recorder)
        sys.setprofile(None)
        if not walks:
            print(log.read_text()[-4000:], "The walk broke off.", sep="\n")
            return 1
    if "--json" in options:
        print(json.dumps({flow: count(walk) for flow, walk in walks.items()}))
    else:
        print_walks(walks, shows_files="--files" in options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
