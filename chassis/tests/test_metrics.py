import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from urllib3.util import Retry

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
    """A real gunicorn with two workers and two addresses."""

    def __init__(self, folder: Path, *, port: int, metrics_port: int) -> None:
        self.port, self.metrics_port = port, metrics_port
        (folder / "shop.py").write_text(APP.format(metrics_port=metrics_port))
        (folder / "metrics").mkdir()
        binds = [part for number in (port, metrics_port) for part in ("--bind", f"127.0.0.1:{number}")]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *binds, "--workers", "2", "--threads", "2", "--worker-class", "gthread",
             "--log-level", "warning", "--chdir", str(folder), "--no-control-socket", "shop:create_app()"],
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics")},
        )  # fmt: skip

    def get(self, path: str, *, port: int, method: str = "GET") -> requests.Response:
        """Ask on a connection of its own, so that either worker may answer; wait for the first answer."""
        with requests.Session() as session:
            session.mount("http://", requests.adapters.HTTPAdapter(max_retries=Retry(8, backoff_factor=0.05)))
            return session.request(method, f"http://127.0.0.1:{port}{path}", timeout=10)

    def metrics(self) -> str:
        return self.get("/metrics", port=self.metrics_port).text


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
