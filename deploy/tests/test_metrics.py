"""Every service counts on the configuration of gunicorn that is shipped, and the documents name metrics that exist."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests

from local.settings import LocalSettings, environment, free_ports

ROOT = Path(__file__).parents[2]
WAIT_SECONDS = 60
Counts = dict[str, float]


class Running:
    """A service under the shipped gunicorn.conf.py, with nothing behind it but Redis."""

    def __init__(self, service: str, variables: dict[str, str], log: Path) -> None:
        port, metrics_port = free_ports(2)
        self.url, self.metrics_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{metrics_port}/metrics"
        self._log = log
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
                assert self.process.poll() is None, self._log.read_text()
                assert time.monotonic() < end, self._log.read_text()
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
def run(tmp_path: Path, redis_url: str) -> Iterator[Callable[..., Running]]:
    """Start a service with the variables of the embedded run, changed as a test says, and nothing set for metrics."""
    with ExitStack() as ends:

        def start(service: str, **changed: str) -> Running:
            given = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
            variables = environment(LocalSettings(data_dir=tmp_path), redis_url, given) | changed
            assert "PROMETHEUS_MULTIPROC_DIR" not in variables
            running = Running(service, variables, tmp_path / f"{service}.log")
            ends.enter_context(_stopped_later(running.process))
            running.wait()
            return running

        yield start


@contextmanager
def _stopped_later(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    yield
    process.terminate()
    process.wait(WAIT_SECONDS)


def test_one_request_is_counted_once(service: str, run: Callable[..., Running]) -> None:
    running = run(service)
    count = f'http_requests_total{{method="GET",route="/healthz",service="{service}",status="200"}}'
    seconds = f'http_request_seconds_count{{route="/healthz",service="{service}"}}'
    before = running.counts()
    requests.get(f"{running.url}/healthz", timeout=WAIT_SECONDS)
    after = running.counts()
    assert [after[name] - before[name] for name in (count, seconds)] == [1, 1]


def test_the_gateways_own_metrics_move(run: Callable[..., Running]) -> None:
    gateway = run("gateway", GATEWAY_CAPTCHAS_PER_IP_PER_MINUTE="1")
    before = gateway.counts()
    for _ in range(2):
        requests.post(f"{gateway.url}/api/v1/captchas", json={}, timeout=WAIT_SECONDS)
    requests.get(f"{gateway.url}/api/v1/users/me", headers={"Authorization": "Bearer nothing"}, timeout=WAIT_SECONDS)
    after = gateway.counts()
    refused = 'gateway_upstream_errors_total{kind="broken",upstream="captcha-service"}'
    changes = {name: value - before.get(name, 0) for name, value in after.items() if value != before.get(name, 0)}
    assert changes['gateway_limited_total{limit="captchas"}'] == 1
    assert changes[refused] == 1
    assert 0 <= after["gateway_revocations_age_seconds"] < 5


def test_the_gateway_counts_what_it_lets_through_without_redis(run: Callable[..., Running]) -> None:
    gateway = run("gateway", GATEWAY_REDIS_URL="redis://127.0.0.1:1")
    before = gateway.counts()["gateway_limits_unreachable_total"]
    requests.post(f"{gateway.url}/api/v1/captchas", json={}, timeout=WAIT_SECONDS)
    assert gateway.counts()["gateway_limits_unreachable_total"] == before + 1


def test_the_gateway_shows_the_age_of_revocations_without_a_readiness_check(run: Callable[..., Running]) -> None:
    gateway = run("gateway", GATEWAY_REDIS_URL="redis://127.0.0.1:1")
    end = time.monotonic() + WAIT_SECONDS
    while gateway.counts()["gateway_revocations_age_seconds"] < 30:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_the_documents_name_metrics_that_exist(root: Path) -> None:
    sources = [path.read_text() for path in root.glob("*/*/**/*.py") if path.parts[-2] != "tests"]
    exist = {name for text in sources for name in re.findall(r'(?:Counter|Gauge|Histogram|Family)\(\s*"(\w+)"', text)}
    named = {
        name
        for path in [*root.glob("*.md"), *root.glob("*/README.md"), *root.glob("docs/*.md")]
        for name in re.findall(r"`((?:http|gateway|captcha|sms|user|news)_\w+)`", path.read_text())
        if name.endswith(("_total", "_seconds", "_ratio", "_threads", "_ready", "_health", "_draining"))
    }
    assert len(named) > 9
    assert named - exist == set()
