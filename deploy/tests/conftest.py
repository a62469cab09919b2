"""What the boundary tests read: projects, imports, settings; and services under the gunicorn that is shipped."""

import ast
import os
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path

import pytest
import requests

from local.settings import LocalSettings, environment, free_ports

Counts = dict[str, float]
ROOT = Path(__file__).parents[2]
SERVICES = ("gateway", "captcha-service", "sms-service", "user-service", "news-service")
PROJECTS = ("chassis", *SERVICES)

WAIT_SECONDS = 60


def package_of(project: str) -> Path:
    return ROOT / project / project.replace("-", "_")


def imported_modules(package: Path) -> Iterator[str]:
    """The first part of every absolute import below a folder."""
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]


@pytest.fixture(params=PROJECTS)
def project(request: pytest.FixtureRequest) -> str:
    """Each project's folder name in turn."""
    return str(request.param)


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    """Each service's folder name in turn."""
    return str(request.param)


@pytest.fixture
def imports_of() -> Callable[[str], set[str]]:
    """The top-level modules that a project imports."""
    return lambda project: set(imported_modules(package_of(project)))


@pytest.fixture
def declared_by() -> Callable[[str], set[str]]:
    """The normalised names of the distributions that a project's pyproject.toml declares, with its extras."""

    def declared(project: str) -> set[str]:
        data = tomllib.loads((ROOT / project / "pyproject.toml").read_text())
        extras = data["project"].get("optional-dependencies", {}).values()
        lines = [*data["project"]["dependencies"], *(line for extra in extras for line in extra)]
        names = (re.split(r"[\[<>=!~; ]", line, maxsplit=1)[0] for line in lines)
        return {re.sub(r"[-_.]+", "-", name).lower() for name in names}

    return declared


@pytest.fixture
def root() -> Path:
    """The repository."""
    return ROOT


class Running:
    """A service under the shipped gunicorn.conf.py, with nothing behind it but Redis."""

    def __init__(self, service: str, variables: dict[str, str], log: Path) -> None:
        port, metrics_port = free_ports(2)
        self.port = port
        self.url, self.metrics_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{metrics_port}/metrics"
        self.log = log
        own = {"SERVICE": service, "PORT": str(port), "METRICS_PORT": str(metrics_port)}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py"],
                env=variables | own,
                cwd=ROOT,
                stdout=output,
                stderr=output,
            )

    def wait(self) -> None:
        end = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                requests.get(f"{self.url}/healthz", timeout=WAIT_SECONDS)
            except requests.ConnectionError:
                assert self.process.poll() is None, self.log.read_text()
                assert time.monotonic() < end, self.log.read_text()
                time.sleep(0.1)
            else:
                return

    def counts(self) -> Counts:
        """Read every sample, by its name with its labels."""
        samples = (line.rpartition(" ") for line in self.text().splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in samples}

    def text(self) -> str:
        answer = requests.get(self.metrics_url, timeout=WAIT_SECONDS)
        assert answer.status_code == 200
        return answer.text


@pytest.fixture
def start_service(tmp_path: Path, redis_url: str) -> Iterator[Callable[..., Running]]:
    """Start a service with the variables of the embedded run, changed as a test says, and nothing set for metrics."""
    with ExitStack() as ends:
        yield partial(_start, ends, tmp_path, redis_url)


@pytest.fixture(scope="module")
def shared_service(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[Callable[..., Running]]:
    """As `start_service`, once for all tests of a module in this process that want the same."""
    with ExitStack() as ends:
        yield cache(partial(_start, ends, tmp_path_factory.mktemp("services"), redis_url))


def _start(ends: ExitStack, folder: Path, redis_url: str, service: str, **changed: str) -> Running:
    given = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    variables = environment(LocalSettings(data_dir=folder), redis_url, given) | {"DRAIN_SECONDS": "0"} | changed
    assert "PROMETHEUS_MULTIPROC_DIR" not in variables
    running = Running(service, variables, folder / f"{service}.log")
    ends.enter_context(_stopped_later(running.process))
    running.wait()
    return running


@contextmanager
def _stopped_later(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    yield
    process.terminate()
    process.wait(WAIT_SECONDS)
