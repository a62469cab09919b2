"""`docs/your-services.md`, followed step by step beside a system like that of `make run`."""

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import requests

from chassis.errors import XinjingError
from local.settings import free_ports
from stage.http_stub import HttpStub, Request, response
from stage.pages import ROOT, Block, Shell, make_folder, prints, read_blocks, read_tables

PAGE = "your-services.md"
ROUTES = ".run/routes.yaml"
OF_COMPOSE = ("deploy/routes/hello.yaml", ".env", "docker-compose.override.yml", "compose")
WAIT_SECONDS = 60


class Reader:
    """Somebody who does what the page says, in its order."""

    def __init__(self, stack: Any, folder: Path) -> None:
        self.stack = stack
        self.folder = make_folder(folder, stack.folder)
        self.port = stack.url.rpartition(":")[2]
        self.service_port = str(free_ports(1)[0])
        self._service: subprocess.Popen[bytes] | None = None
        self._env = {**os.environ, "PORT": self.port, "PYTHONDONTWRITEBYTECODE": "1"}
        self.shell = Shell(self.folder, self._env)

    def close(self) -> None:
        self.end_service()
        self.shell.close()

    @cached_property
    def printed(self) -> list[tuple[str, str, str]]:
        """Every command of the page, what it should print, and what it printed; read once."""
        self._wait_for(lambda: "taken when you save" in self.stack.logs())
        found = []
        for block in read_blocks(PAGE):
            if block.name in OF_COMPOSE:
                continue
            if block.language == "console":
                found += [(command, text, self.shell.run(self._here(command))) for command, text in block.commands()]
            elif block.name == "service":
                self._start_service(self._here(block.text))
            else:
                self._save(block)
        return found

    def _here(self, text: str) -> str:
        return text.replace("8000", self.port).replace("5001", self.service_port)

    def _save(self, block: Block) -> None:
        before = self.stack.logs()
        (self.folder / block.name).write_text(self._here(block.text))
        if block.name == ROUTES:
            # The worker of before leaves when the new one has begun.
            self._wait_for(lambda: all(
                text in self.stack.logs()[len(before):] for text in ("of yours are right.", "Worker exiting")
            ))  # fmt: skip

    def _start_service(self, command: str) -> None:
        self.end_service()
        with (self.folder / "service.log").open("wb") as log:
            self._service = subprocess.Popen(
                ["bash", "-c", f"exec env {command}"], cwd=self.folder, env=self._env, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self._wait_for(self._is_served)

    def end_service(self) -> None:
        """Stop the service of the page."""
        if self._service is not None:
            os.killpg(self._service.pid, 15)  # With --debug there are two processes.
            self._service.wait(30)
            self._service = None
            self._wait_for(lambda: not self._is_served())

    def _is_served(self) -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{self.service_port}/", timeout=5).status_code > 0
        except requests.ConnectionError:
            return False

    def _wait_for(self, is_so: Callable[[], bool]) -> None:
        end = time.monotonic() + WAIT_SECONDS
        while not is_so():
            assert time.monotonic() < end, self.stack.logs()[-4000:]
            time.sleep(0.1)

    def ask(self, path: str, **options: Any) -> requests.Response:
        """Call the service, or an address of the gateway, as the administrator of the page."""
        token = self.shell.run("echo $TOKEN").strip()
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        address = self.stack.url + (path if path[0] == "/" else f"/api/hello/{path}")
        return requests.get(address, headers=headers, timeout=20, allow_redirects=False, **options)


@pytest.fixture(scope="module")
def reader(run_embedded: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with run_embedded() as stack:
        reader = Reader(stack, tmp_path_factory.mktemp("reader") / "xinjing")
        yield reader
        reader.close()


def test_every_command_prints_what_the_page_says(reader: Reader) -> None:
    wrong = [step for step in reader.printed if not prints(step[1], step[2])]
    assert wrong == []
    assert len(reader.printed) > 15


def test_the_first_example_has_at_most_ten_lines() -> None:
    blocks = read_blocks(PAGE)
    first_command = next(number for number, block in enumerate(blocks) if block.language in ("sh", "console"))
    files = blocks[:first_command]
    assert [file.name for file in files] == [ROUTES, "hello.py"]
    assert sum(len(file.lines) for file in files) <= 10
    readme = (ROOT / "README.md").read_text()
    assert [file.name for file in files if f"```{file.language}\n{file.text}```" not in readme] == []


def test_the_only_command_that_is_not_typed_here_is_the_one_that_starts_everything() -> None:
    # Its system runs already; `make run` begins the same program.
    typed = {block.name for block in read_blocks(PAGE) if block.language in ("sh", "console")}
    assert typed == {"", "service", "compose"}
    making = ["make", "--dry-run", "--old-file", f"{sys.prefix}/.runtime", f"VENV={sys.prefix}", "run"]
    done = subprocess.run(making, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == f"exec {sys.prefix}/bin/python -m local.run"


# What a client tries under each name of the table, and what the service gets: None, nothing.
SENT = {
    "X-Identity": ("forged", "a token"),
    "X-User-Id": ("7", None),
    "X-User-Roles": ("admin", None),
    "X-User-Name": ("root", None),
    "X-Internal-Token": ("a.b.c", None),
    "Proxy-Authorization": ("Basic eDp5", None),
    "Cookie": ("theme=dark; xinjing_rt=stolen; xinjing_at=stolen", "theme=dark"),
    "X-Forwarded-For": ("8.8.8.8", "127.0.0.1"),
    "X-Forwarded-Proto": ("https", "http"),
    "X-Forwarded-Host": ("evil.example", "the gateway's"),
    "X-Forwarded-Port": ("1", None),
    "X-Real-Ip": ("8.8.8.8", None),
    "Forwarded": ("for=8.8.8.8", None),
    "X-Request-Id": ("order-7", "order-7"),
    "Traceparent": ("00-" + "4" * 32 + "-" + "2" * 16 + "-01", "the same trace"),
    "Tracestate": ("shop=1", "shop=1"),
    "Via": ("1.0 evil", "1.1 xinjing"),
    "Connection": ("X-Mine", None),
    "X-Mine": ("yes", None),
    "Te": ("trailers", None),
    "Upgrade": ("websocket", None),
    "With_Underscore": ("yes", None),
    "Accept-Language": ("zh-CN", "zh-CN"),
}


def test_what_arrives_is_what_the_table_says(reader: Reader) -> None:
    assert reader.printed  # Then the service runs.
    answer = reader.ask("seen", headers={name: sent for name, (sent, _) in SENT.items()}).json()
    got = {name.title(): value for name, value in answer["headers"].items()}
    assert got.pop("X-Identity").count(".") == 2
    assert got.pop("Host") == f"127.0.0.1:{reader.service_port}"
    assert got.pop("X-Forwarded-Host") == reader.stack.url.removeprefix("http://")
    assert got.pop("Traceparent").split("-")[1] == "4" * 32
    shown = ("X-Identity", "X-Forwarded-Host", "Traceparent")
    expected = {name: value for name, (_, value) in SENT.items() if value is not None and name not in shown}
    assert {name: value for name, value in got.items() if name in SENT} == expected
    assert set(got) - set(SENT) == {"Accept", "Accept-Encoding", "User-Agent"}  # Those of requests.


def test_every_name_of_what_arrives_is_tried() -> None:
    arriving, _ = read_tables(PAGE, "What arrives, and what never does")
    named = {name.title() for row in arriving for name in re.findall(r"`([\w-]+)`", row[0])}
    # Authorization comes with each request; http.client writes Host itself and waits at Expect.
    assert named - set(SENT) == {"Authorization", "Host", "Expect"}


ANSWERED = [
    ("Set-Cookie", "cart=9; Path=/"),
    ("Set-Cookie", "xinjing_at=stolen; Path=/"),
    ("Set-Cookie", "xinjing_rt=; Max-Age=0"),
    ("Access-Control-Allow-Origin", "*"),
    ("X-Internal-Note", "secret"),
    ("Connection", "X-Mine"),
    ("X-Mine", "yes"),
    ("X-Request-Id", "forged"),
    ("Cache-Control", "public, max-age=60"),
    ("Location", "/internal/secret"),
]


class Answering(HttpStub):
    """A service that answers what the table of answers tells of, or no HTTP."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port
        self.head = "".join(f"{name}: {value}\r\n" for name, value in ANSWERED)

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        if request.path.endswith("/nonsense"):
            writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        else:
            writer.write(response(b"{}").replace(b"\r\n", b"\r\n" + self.head.encode(), 1))


@pytest.fixture
def answering(reader: Reader) -> Iterator[Answering]:
    """Another service in place of the page's, which this ends."""
    assert reader.printed
    reader.end_service()
    with Answering(int(reader.service_port)) as stub:
        yield stub


@pytest.mark.usefixtures("answering")
def test_what_the_client_gets_of_an_answer_is_what_the_table_says(reader: Reader) -> None:
    answer = reader.ask("prices")
    assert answer.raw.headers.getlist("Set-Cookie") == ["cart=9; Path=/"]
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["X-Request-Id"] != "forged"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Location"] == "/internal/secret"
    assert {"Access-Control-Allow-Origin", "X-Internal-Note", "X-Mine"} & set(answer.headers) == set()
    # Where the redirect leads, there is nothing.
    assert requests.get(f"{reader.stack.url}/internal/secret", timeout=20).status_code == 404


def test_a_service_that_answers_nonsense_or_nothing_is_a_problem_of_the_gateway(
    reader: Reader, answering: Answering
) -> None:
    nonsense = reader.ask("nonsense")
    assert (nonsense.status_code, nonsense.json()["code"], "Retry-After" in nonsense.headers) == (
        502, "upstream_unavailable", True,
    )  # fmt: skip
    answering.shut()
    nothing = reader.ask("nothing")
    assert (nothing.status_code, nothing.json()["code"], "Retry-After" in nothing.headers) == (
        503, "service_unavailable", True,
    )  # fmt: skip
    assert reader.ask("/api/v1/users/me").status_code == 200  # The session goes on.


def test_every_refusal_of_the_table_is_an_error_of_ours() -> None:
    [refusals] = read_tables(PAGE, "Access, limits, caching, bodies")
    codes = {(int(status), code) for row in refusals for status, code in re.findall(r"(\d{3}) `(\w+)`", row[1])}
    assert len(codes) == 6
    assert codes <= {(kind.status, kind.code) for kind in XinjingError.__subclasses__()}
