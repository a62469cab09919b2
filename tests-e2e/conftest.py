"""The stack under test, and the clients that walk through it.

``E2E_STACK=embedded`` (the default) starts `python -m local.run` on a free port and an empty folder;
``E2E_STACK=compose`` uses the running compose stack at ``E2E_URL``. The journeys are the same.
"""

import contextlib
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, Protocol

import pytest
import requests
from playwright.sync_api import Browser, Page, sync_playwright
from redis import Redis

from local.settings import PREFIXES, LocalSettings, environment, free_ports
from stage.processes import wait_until_ready
from stage.tally import Tally, table

ROOT = Path(__file__).parents[1]
# All journeys come from one address, which the limits of a real installation would stop.
CHROMIUM = Path("/usr/bin/chromium")
# Chromium starts as root only without its sandbox, and must not talk to its maker's servers.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
# A frontend of another origin; deploy/test-all lists it, too.
FRONTEND = "http://127.0.0.1:8019"
RAISED_LIMITS = (Path(__file__).parent / "raised-limits.txt").read_text().split()
RAISED_TO = "100000"
START_SECONDS = 120
ANSWER_SECONDS = 20
PROCESSES = ("gateway", "captcha-service", "sms-service", "sms-worker", "user-service", "news-service")
MOBILE_PREFIXES = ("130", "135", "138", "150", "155", "159", "176", "180", "186", "189", "191", "199")
Json = dict[str, Any]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what came of the faults of the SMS pipeline, whichever process each of them ran in."""
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    told = [value for report in reports for name, value in report.user_properties if name == "fault"]
    if rows := [(fault, Tally(*counts)) for fault, *counts in told]:
        terminalreporter.section("faults of the SMS pipeline")
        for line in table(rows):
            terminalreporter.write_line(line)


class Worker(Protocol):
    """One sms-worker that a test may stop the hard way."""

    def pause(self) -> None:
        """Freeze it: it keeps what it took, and does nothing with it."""

    def kill(self) -> None:
        """End it with SIGKILL, frozen or not."""


class Stack:
    """A running system, as a client sees it, with a look at its Redis."""

    def __init__(self, url: str) -> None:
        self.url = url

    def redis_command(self, *words: str) -> Any:
        """Run one Redis command and return its answer."""
        raise NotImplementedError

    def start_worker(self) -> Worker:
        """Return a worker beside the one that must stay; the stack has two of them then, at least."""
        raise NotImplementedError

    def restore_workers(self) -> None:
        """Bring the workers back to what they were before `start_worker`."""
        raise NotImplementedError

    def kill_and_start(self, service: str) -> None:
        """End one part the hard way and start it again."""
        raise NotImplementedError

    def flask(self, *words: str) -> str:
        """Run a command of user-service and return what it prints."""
        raise NotImplementedError

    def metrics(self, process: str) -> str:
        """Read `/metrics` of a service or of sms-worker."""
        raise NotImplementedError

    def logs(self) -> str:
        """Read what all processes have written to their logs."""
        raise NotImplementedError

    def captcha_answer(self, captcha_id: str) -> str:
        """Read the text of a captcha."""
        answer = self.redis_command("GET", f"captcha:answer:{captcha_id}")
        assert isinstance(answer, str), f"no captcha {captcha_id}"
        return answer

    def inbox(self, mobile: str | None = None) -> list[Json]:
        """Read the texts to a mobile, or to all of them, newest first."""
        query = {} if mobile is None else {"mobile": mobile}
        answer = requests.get(f"{self.url}/inbox/messages", params=query, timeout=ANSWER_SECONDS)
        answer.raise_for_status()
        items: list[Json] = answer.json()["items"]
        return items

    def wait_for_texts(self, mobile: str, count: int, *, seconds: float = 10) -> list[Json]:
        """Wait until a mobile got that many texts, and return them, newest first."""
        end = time.monotonic() + seconds
        while len(texts := self.inbox(mobile)) < count:
            assert time.monotonic() < end, f"{len(texts)} texts after {seconds} s, not {count}"
            time.sleep(0.1)
        return texts


class ProcessWorker:
    """A worker that the tests started themselves, because the embedded run ends when one of its processes does."""

    def __init__(self, env: dict[str, str], log: Path) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sms_service.worker"], env=env, cwd=ROOT, stdout=output, stderr=output
            )
        wait_until_ready(self._process, int(env["METRICS_PORT"]), log, seconds=START_SECONDS)

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)


class EmbeddedStack(Stack):
    """What `make run` starts."""

    def __init__(self, folder: Path, **variables: str) -> None:
        [port] = free_ports(1)
        super().__init__(f"http://127.0.0.1:{port}")
        raised = {**dict.fromkeys(RAISED_LIMITS, RAISED_TO), "GATEWAY_CORS_ORIGINS": FRONTEND, **variables}
        self._env = {**os.environ, **raised, "PORT": str(port), "DATA_DIR": str(folder), "PYTHONUNBUFFERED": "1"}
        self._env["SMS_RECLAIM_AFTER_SECONDS"] = "10"
        names = [f"{name}_METRICS_PORT" for name in (*PREFIXES, "SMS_WORKER")]
        self._env |= {name: str(port) for name, port in zip(names, free_ports(len(names)), strict=True)}
        self.folder = folder
        self._log = folder / "run.log"
        self._workers: list[ProcessWorker] = []
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "local.run"],
                env=self._env,
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        end = time.monotonic() + START_SECONDS
        while "Xinjing is ready" not in self._log.read_text():
            assert self._process.poll() is None, self._log.read_text()[-4000:]
            assert time.monotonic() < end, self._log.read_text()[-4000:]
            time.sleep(0.2)

    def stop(self) -> None:
        self.restore_workers()
        self._process.terminate()
        try:
            self._process.wait(30)
        finally:
            # Whoever is left of the session when its first process is gone.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(5)

    def redis_command(self, *words: str) -> Any:
        with Redis.from_url(f"unix://{self.folder}/redis.sock", decode_responses=True) as client:
            return client.execute_command(*words)

    def _environment(self) -> dict[str, str]:
        settings = LocalSettings(port=1, data_dir=self.folder)
        return environment(settings, f"unix://{self.folder}/redis.sock", self._env)

    def flask(self, *words: str) -> str:
        command = [sys.executable, "-m", "flask", "--app", "user_service.app", *words]
        done = subprocess.run(
            command, env=self._environment(), cwd=ROOT, check=True, capture_output=True, text=True, timeout=60
        )
        return done.stdout

    def metrics(self, process: str) -> str:
        name = process.removesuffix("-service").replace("-", "_").upper()
        answer = requests.get(f"http://127.0.0.1:{self._env[f'{name}_METRICS_PORT']}/metrics", timeout=ANSWER_SECONDS)
        answer.raise_for_status()
        return answer.text

    def logs(self) -> str:
        return self._log.read_text()

    def start_worker(self) -> Worker:
        env = self._environment()
        worker = ProcessWorker({**env, "METRICS_PORT": str(free_ports(1)[0])}, self.folder / "workers.log")
        self._workers.append(worker)
        end = time.monotonic() + START_SECONDS
        while self._waiting_workers() < 2:
            assert time.monotonic() < end, "the second worker takes no jobs"
            time.sleep(0.05)
        return worker

    def _waiting_workers(self) -> int:
        """Count the workers that wait for a job at this moment."""
        clients = self.redis_command("CLIENT", "LIST").splitlines()
        return sum("flags=b" in client and "cmd=xreadgroup" in client for client in clients)

    def restore_workers(self) -> None:
        while self._workers:
            self._workers.pop().kill()


class ContainerWorker:
    """One of the replicas of the service sms-worker."""

    def __init__(self, container: str) -> None:
        self._container = container

    def pause(self) -> None:
        subprocess.run(["docker", "pause", self._container], check=True, capture_output=True, timeout=30)

    def kill(self) -> None:
        subprocess.run(["docker", "kill", self._container], check=True, capture_output=True, timeout=30)


class ComposeStack(Stack):
    """A compose stack that runs already; COMPOSE_PROJECT_NAME names it."""

    def compose(self, *words: str, variables: dict[str, str] | None = None, check: bool = True) -> str:
        """Run `docker compose` and return what it prints."""
        command, env = ["docker", "compose", *words], os.environ | (variables or {})
        done = subprocess.run(command, cwd=ROOT, env=env, check=check, capture_output=True, text=True, timeout=240)
        return done.stdout

    def _docker(self, *words: str) -> str:
        return subprocess.run(["docker", *words], check=True, capture_output=True, text=True, timeout=60).stdout

    def redis_command(self, *words: str) -> Any:
        return json.loads(self.compose("exec", "-T", "redis", "redis-cli", "--json", *words))

    def flask(self, *words: str) -> str:
        return self.compose("exec", "-T", "user-service", "flask", "--app", "user_service.app", *words)

    def metrics(self, process: str) -> str:
        read = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9100/metrics').read().decode())"
        containers = self.compose("ps", "--quiet", process).split()
        texts = (self._docker("exec", container, "python", "-c", read) for container in containers)
        return "\n".join(texts)

    def logs(self) -> str:
        return self.compose("logs", "--no-log-prefix", "--no-color", *PROCESSES)

    def start_worker(self) -> Worker:
        self.restore_workers()
        return ContainerWorker(self.compose("ps", "--quiet", "sms-worker").split()[-1])

    def kill_and_start(self, service: str) -> None:
        """End a container with SIGKILL, start it again, and wait until the whole stack is healthy."""
        self.compose("kill", "--signal", "SIGKILL", service)
        self.make_whole()

    def make_whole(self) -> None:
        """Start what does not run or has other settings, and wait until the whole stack is healthy."""
        end = time.monotonic() + START_SECONDS
        while not (self._is_up() and self._is_ready()):
            assert time.monotonic() < end, "the stack is not ready"
            time.sleep(0.2)

    def _is_up(self) -> bool:
        # `--wait` fails at once over a container that will be healthy again at its next check.
        with contextlib.suppress(subprocess.CalledProcessError):
            self.compose("up", "--detach", "--wait", "--scale", "sms-worker=2")
            return True
        return False

    def _is_ready(self) -> bool:
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.url}/readyz", timeout=ANSWER_SECONDS).ok
        return False

    def restore_workers(self) -> None:
        scale = ("up", "--detach", "--wait", "--no-deps", "--no-recreate", "--scale", "sms-worker=2", "sms-worker")
        self.compose(*scale)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The system under test."""
    if os.environ.get("E2E_STACK", "embedded") == "compose":
        yield ComposeStack(os.environ.get("E2E_URL", "http://127.0.0.1:8000"))
        return
    with embedded_stack() as embedded:
        yield embedded


@contextlib.contextmanager
def embedded_stack(**variables: str) -> Iterator[EmbeddedStack]:
    """Run what `make run` starts, with variables of a test's own."""
    folder = Path(tempfile.mkdtemp(prefix="xj"))  # Short, because a socket's path must be.
    embedded = EmbeddedStack(folder, **variables)
    try:
        embedded.wait_until_ready()
        yield embedded
    finally:
        embedded.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def run_embedded() -> Callable[..., contextlib.AbstractContextManager[EmbeddedStack]]:
    """Run what `make run` starts: a system of a test's own, whatever the other journeys walk through."""
    return embedded_stack


@pytest.fixture
def extra_worker(stack: Stack) -> Iterator[Worker]:
    """A second sms-worker, for one test."""
    yield stack.start_worker()
    stack.restore_workers()


class Client:
    """An HTTP client. An app keeps no cookies and sends a token; a browser keeps them and says where it comes from."""

    def __init__(self, url: str, *, is_browser: bool) -> None:
        self.url = url
        self.http = requests.Session()
        self.http.trust_env = False
        if is_browser:
            self.http.headers["Sec-Fetch-Site"] = "same-origin"
        else:
            self.http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def __call__(self, method: str, path: str, *, token: str | None = None, **options: Any) -> requests.Response:
        """Send one request; ``options`` are those of requests."""
        headers = options.pop("headers", {}) | ({"Authorization": f"Bearer {token}"} if token else {})
        options = {"timeout": ANSWER_SECONDS, "allow_redirects": False, **options}
        return self.http.request(method, self.url + path, headers=headers, **options)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium."""
    if not CHROMIUM.exists():
        pytest.skip("no Chromium on this machine: apt-get install chromium fonts-wqy-zenhei")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def keep() -> Callable[[Page, str], None]:
    """Write a picture of the window, if SCREENSHOTS_DIR names a folder for it."""
    folder = os.environ.get("SCREENSHOTS_DIR")

    def keep(page: Page, name: str) -> None:
        if folder:
            page.screenshot(path=Path(folder) / name, animations="disabled")

    return keep


@pytest.fixture(scope="session")
def frontend() -> str:
    """The origin of a frontend that is not ours, which the gateway lists."""
    return FRONTEND


@pytest.fixture
def app(stack: Stack) -> Iterator[Client]:
    """A client like a mobile app's: JSON and bearer tokens."""
    client = Client(stack.url, is_browser=False)
    yield client
    client.http.close()


@pytest.fixture
def browser_client(stack: Stack) -> Iterator[Client]:
    """A client like a page's script: cookies, and the header that browsers add to same-origin requests."""
    client = Client(stack.url, is_browser=True)
    yield client
    client.http.close()


@pytest.fixture
def new_mobile() -> Callable[[], str]:
    """Draw mobiles of mainland China that no other test uses."""

    def draw() -> str:
        return secrets.choice(MOBILE_PREFIXES) + f"{secrets.randbelow(10**8):08}"

    return draw


@pytest.fixture
def mobile(new_mobile: Callable[[], str]) -> str:
    """A mobile for this test."""
    return new_mobile()


@pytest.fixture
def solved_captcha(stack: Stack, app: Client) -> Callable[[], Json]:
    """Get a captcha and its text, as the fields of a request for a code."""

    def solve() -> Json:
        answer = app("POST", "/api/v1/captchas", json={})
        assert answer.status_code == 201, answer.text
        captcha_id = answer.json()["id"]
        return {"captcha_id": captcha_id, "captcha_text": stack.captcha_answer(captcha_id)}

    return solve


@pytest.fixture
def ask_code(app: Client, solved_captcha: Callable[[], Json]) -> Callable[..., requests.Response]:
    """Ask for a code with a solved captcha, or with other fields."""

    def ask(mobile: str, purpose: str = "register", **fields: str) -> requests.Response:
        captcha = fields or solved_captcha()
        return app("POST", "/api/v1/sms-codes", json={"mobile": mobile, "purpose": purpose, **captcha})

    return ask


@pytest.fixture
def texted_code(stack: Stack, ask_code: Callable[..., requests.Response]) -> Callable[..., str]:
    """Have a code texted and read it."""

    def get(mobile: str, purpose: str = "register") -> str:
        before = len(stack.inbox(mobile))
        answer = ask_code(mobile, purpose)
        assert answer.status_code == 202, answer.text
        return code_in(stack.wait_for_texts(mobile, before + 1)[0]["text"])

    return get


def code_in(text: str) -> str:
    """Find the six digits in a text."""
    found = re.search(r"(?<!\d)\d{6}(?!\d)", text)
    assert found, text
    return found[0]


@dataclass(frozen=True)
class Account:
    """A registered person."""

    mobile: str
    password: str
    user: Json
    access_token: str
    refresh_token: str


@pytest.fixture
def register(app: Client, new_mobile: Callable[[], str], texted_code: Callable[..., str]) -> Callable[[], Account]:
    """Register a new person and return them, signed in."""

    def make() -> Account:
        mobile, password = new_mobile(), f"journey {secrets.token_urlsafe(12)}"
        body = {"mobile": mobile, "sms_code": texted_code(mobile), "password": password}
        answer = app("POST", "/api/v1/users", json=body)
        assert answer.status_code == 201, answer.text
        session = answer.json()
        return Account(mobile, password, session["user"], session["access_token"], session["refresh_token"])

    return make


@pytest.fixture
def admin_token(app: Client, register: Callable[[], Account], stack: Stack) -> str:
    """The token of an administrator who has just logged in."""
    person = register()
    assert "is an administrator" in stack.flask("admin", "grant", person.mobile)
    answer = app("POST", "/api/v1/sessions", json={"mobile": person.mobile, "password": person.password})
    assert answer.json()["user"]["roles"] == ["admin"]
    return str(answer.json()["access_token"])


@dataclass(frozen=True)
class RawAnswer:
    """An answer whose request was sent byte by byte as written."""

    status: int
    headers: dict[str, str]
    body: bytes


@pytest.fixture
def raw(stack: Stack) -> Callable[..., RawAnswer]:
    """Send a request target as it is, which requests would tidy up; the body is only announced if it is a number."""

    def send(method: str, target: str, headers: dict[str, str] | None = None, *, body: bytes | int = b"") -> RawAnswer:
        host = stack.url.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=ANSWER_SECONDS)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            length = body if isinstance(body, int) else len(body)
            for name, value in {"Content-Length": str(length), **(headers or {})}.items():
                connection.putheader(name, value)
            connection.endheaders(None if isinstance(body, int) else body)
            answer = connection.getresponse()
            return RawAnswer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    return send
