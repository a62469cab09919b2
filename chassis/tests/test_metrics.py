import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from urllib3.util import Retry

CONFIGURATION = Path(__file__).parents[2] / "deploy/gunicorn.conf.py"
APP = """
from pydantic import BaseModel

from chassis.identity import InternalTokens
from chassis.web import Access, create_api, endpoint

class Path(BaseModel):
    text: str

def create_app():
    app = create_api(__name__, service="shop", tokens=InternalTokens("k" * 32), metrics_port={metrics_port})

    @endpoint(app, "GET", "/open/<text>", access=Access.UNAUTHENTICATED)
    def see(path: Path):
        return {{}}

    return app
"""


class Gunicorn:
    """A real gunicorn as it is shipped, with two workers."""

    def __init__(self, folder: Path, *, port: int, metrics_port: int) -> None:
        self.port, self.metrics_port = port, metrics_port
        (folder / "shop").mkdir()
        (folder / "shop" / "app.py").write_text(APP.format(metrics_port=metrics_port))
        shop = {"SERVICE": "shop", "PORT": str(port), "METRICS_PORT": str(metrics_port), "WEB_CONCURRENCY": "2"}
        given = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", str(CONFIGURATION), "--chdir", str(folder)],
            env={**given, **shop},
        )

    def get(self, path: str, *, port: int, method: str = "GET") -> requests.Response:
        """Ask on a connection of its own, so that either worker may answer; wait for the first answer."""
        with requests.Session() as session:
            session.mount("http://", requests.adapters.HTTPAdapter(max_retries=Retry(8, backoff_factor=0.05)))
            return session.request(method, f"http://127.0.0.1:{port}{path}", timeout=10)

    def metrics(self) -> str:
        return self.get("/metrics", port=self.metrics_port).text

    def workers(self) -> set[int]:
        pid = self.process.pid
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}

    def folder(self) -> Path:
        root = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else Path(tempfile.gettempdir())
        (folder,) = root.glob(f"xinjing-metrics-{self.process.pid}-*")
        return folder

    def owners(self) -> set[str]:
        """Name the processes that the files belong to."""
        return {path.stem.rpartition("_")[2] for path in self.folder().glob("*.db")}


@pytest.fixture(scope="module")
def gunicorn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    ports = iter(free_ports(2))
    server = Gunicorn(tmp_path_factory.mktemp("gunicorn"), port=next(ports), metrics_port=next(ports))
    yield server
    server.process.terminate()
    server.process.wait(20)


def free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def test_the_public_port_shows_no_metrics(gunicorn: Gunicorn) -> None:
    answer = gunicorn.get("/metrics", port=gunicorn.port)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/", "/healthz", "/open/1", "/internal/openapi.json", "/metrics/", "/favicon.ico"])
def test_the_internal_port_shows_nothing_else(gunicorn: Gunicorn, path: str) -> None:
    assert gunicorn.get(path, port=gunicorn.metrics_port).status_code == 404


def test_a_host_header_does_not_open_the_door(gunicorn: Gunicorn) -> None:
    address = f"http://127.0.0.1:{gunicorn.port}/metrics"
    answer = requests.get(address, headers={"Host": f"127.0.0.1:{gunicorn.metrics_port}"}, timeout=10)
    assert answer.status_code == 404


def test_the_counts_of_all_workers_are_added_up_per_route(gunicorn: Gunicorn) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: gunicorn.get(f"/open/{number}", port=gunicorn.port), range(40)))
    line = 'http_requests_total{method="GET",route="/open/<text>",service="shop",status="200"} 40.0'
    text = gunicorn.metrics()
    assert line in text
    assert 'http_request_seconds_count{route="/open/<text>",service="shop"} 40.0' in text


def test_invented_paths_and_methods_make_no_new_series(gunicorn: Gunicorn) -> None:
    assert gunicorn.get("/invented/1", port=gunicorn.port, method="BREW").status_code == 404
    text = gunicorn.metrics()
    assert 'method="other",route="unmatched",service="shop",status="404"' in text
    assert "BREW" not in text
    assert "invented" not in text


def test_a_dead_workers_files_go_and_its_counts_stay(gunicorn: Gunicorn) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: gunicorn.get("/open/2", port=gunicorn.port), range(20)))
    before, old = gunicorn.metrics(), gunicorn.workers()
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(gunicorn.workers()) == 2 and not gunicorn.workers() & old)
    wait_until(lambda: not gunicorn.owners() & {str(pid) for pid in old})
    assert counts(gunicorn.metrics()) == counts(before)
    gunicorn.get("/open/2", port=gunicorn.port)
    # The dead are one entry, however many they are.
    assert "dead" in gunicorn.owners()
    assert len(gunicorn.owners()) <= 3


def test_a_reload_keeps_the_counts(gunicorn: Gunicorn) -> None:
    gunicorn.get("/open/3", port=gunicorn.port)
    before, old = counts(gunicorn.metrics()), gunicorn.workers()
    gunicorn.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(gunicorn.workers()) == 2 and not gunicorn.workers() & old)
    assert counts(gunicorn.metrics()) == before


def test_what_a_killed_gunicorn_left_is_removed_at_the_next_start(tmp_path: Path) -> None:
    ports = free_ports(4)
    for number in range(2):
        (tmp_path / str(number)).mkdir()
    first = Gunicorn(tmp_path / "0", port=ports[0], metrics_port=ports[1])
    first.get("/open/1", port=first.port)
    left, workers = first.folder(), first.workers()
    for pid in (first.process.pid, *workers):
        os.kill(pid, signal.SIGKILL)
    first.process.wait(20)
    second = Gunicorn(tmp_path / "1", port=ports[2], metrics_port=ports[3])
    second.get("/open/1", port=second.port)
    own = second.folder()
    assert not left.exists()
    second.process.terminate()
    second.process.wait(20)
    assert not own.exists()


def counts(text: str) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in text.splitlines() if "_total{" in line or "_count{" in line)
    return {name: float(value) for name, _, value in lines}


def wait_until(is_true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.05)
