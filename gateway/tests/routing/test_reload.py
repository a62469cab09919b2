"""A reload takes right files and refuses wrong ones, with the gunicorn that is shipped."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client import REGISTRY

from gateway.routing.reload import RoutesLoader
from gateway.routing.route_files import RoutesRefused, build_routes

FILE = """
services:
  orders: {{urls: ["{url}"]}}
routes:
  - {{path: {path}, methods: [GET], service: orders, access: public}}
"""
WAIT_SECONDS = 60


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The operator's file; it names the path /a."""
    path = tmp_path / "orders.yaml"
    write(path, "/a")
    return path


def write(file: Path, path: str, url: str = "http://orders:1") -> None:
    file.write_text(FILE.format(url=url, path=path))


def loader(file: Path, folder: Path | None, reload: int) -> RoutesLoader:
    return RoutesLoader((file,), partial(build_routes, can_sign=False), folder, reload)


def paths_of(loader: RoutesLoader) -> list[str]:
    return [rule.path for rule in loader.load().routes.table.foreign_rules]


def test_all_workers_of_a_reload_take_what_the_first_one_read(file: Path, tmp_path: Path) -> None:
    assert paths_of(loader(file, tmp_path, 1)) == ["/a"]
    write(file, "/b")
    assert paths_of(loader(file, tmp_path, 1)) == ["/a"]
    assert paths_of(loader(file, tmp_path, 2)) == ["/b"]


def test_wrong_files_leave_in_force_what_was(file: Path, tmp_path: Path) -> None:
    loader(file, tmp_path, 1).load()
    file.write_text("routes: 7\nx: 8\n")
    for _ in range(2):  # The first worker, and another one.
        in_force = loader(file, tmp_path, 2).load()
        assert [rule.path for rule in in_force.routes.table.foreign_rules] == ["/a"]
        assert in_force.problems == (
            f"{file}:1: routes: Input should be a valid list",
            f"{file}:2: x: is unknown",
        )
        assert list(in_force.remarks()) == ["routes"]
        assert REGISTRY.get_sample_value("gateway_routes_refused") == 1
    write(file, "/b")
    assert paths_of(loader(file, tmp_path, 3)) == ["/b"]
    assert loader(file, tmp_path, 3).load().remarks() == {}
    assert REGISTRY.get_sample_value("gateway_routes_refused") == 0


def test_wrong_files_after_wrong_files_still_leave_the_last_right_ones(file: Path, tmp_path: Path) -> None:
    loader(file, tmp_path, 1).load()
    for reload in (2, 3):
        file.write_text(f"x: {reload}")
        assert paths_of(loader(file, tmp_path, reload)) == ["/a"]
    file.unlink()
    assert paths_of(loader(file, tmp_path, 4)) == ["/a"]


@pytest.mark.parametrize("is_shared", [True, False])
def test_at_the_first_start_wrong_files_are_refused(file: Path, tmp_path: Path, is_shared: bool) -> None:
    file.write_text("x: 8")
    with pytest.raises(RoutesRefused):
        loader(file, tmp_path if is_shared else None, 1).load()


def test_a_gateway_does_not_start_with_wrong_files(
    file: Path, start_gateway: Callable[..., Any], redis_url: str
) -> None:
    file.write_text("x: 8\nroutes:\n- {path: a}\n")
    names = ("CAPTCHA", "SMS", "USER", "NEWS")
    variables = {f"GATEWAY_{name}_SERVICE_URL": "http://127.0.0.1:9" for name in names}
    variables |= {"GATEWAY_REDIS_URL": redis_url, "GATEWAY_INTERNAL_TOKEN_KEY": os.urandom(32).hex()}
    command = [sys.executable, "-m", "gunicorn", "-b", "127.0.0.1:0", "gateway.app:create_app()"]
    env = {**os.environ, **variables, "GATEWAY_ROUTES_FILE": f"{file}, {file}.none"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert "The routes files are wrong:\n" in done.stderr
    assert f"  {file}:1: x: is unknown\n" in done.stderr
    assert f"  {file}.none:1: cannot be read: No such file or directory\n" in done.stderr


class Load:
    """Requests one after the other, from several threads, each on a connection of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._is_over = threading.Event()
        self.statuses: list[int] = []
        self.failures: list[str] = []
        self._threads = [threading.Thread(target=self._ask) for _ in range(3)]

    def _ask(self) -> None:
        while not self._is_over.is_set():
            try:
                answer = requests.get(self._url, headers={"Connection": "close"}, timeout=WAIT_SECONDS)
                self.statuses.append(answer.status_code)
            except requests.RequestException as error:
                self.failures.append(str(error))

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@contextmanager
def reloaded(gateway: Any) -> Iterator[None]:
    """Send SIGHUP after the block, and wait until all workers of before are gone."""
    before = workers_of(gateway)
    yield
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(workers_of(gateway)) == len(before) and not workers_of(gateway) & before)


def workers_of(gateway: Any) -> set[int]:
    folder = Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children")
    return {int(number) for number in folder.read_text().split()}


def test_a_reload_loses_no_request_and_refuses_wrong_files(
    file: Path, start_gateway: Callable[..., Any], services: Any
) -> None:
    write(file, "/a", services.orders.url)
    gateway = start_gateway(routes_file=str(file))
    statuses = lambda: [gateway.ask("GET", path).status for path in ("/a", "/b", "/c")]  # noqa: E731
    metric = lambda: requests.get(f"http://127.0.0.1:{gateway.metrics_port}/metrics", timeout=WAIT_SECONDS).text  # noqa: E731
    assert statuses() == [200, 404, 404]
    with Load(f"http://127.0.0.1:{gateway.port}/api/v1/categories") as load:
        with reloaded(gateway):
            write(file, "/b", services.orders.url)
        assert statuses() == [404, 200, 404]
        with reloaded(gateway):
            file.write_text(file.read_text().replace("/b", "c"))
        assert statuses() == [404, 200, 404]
        assert "gateway_routes_refused 1.0" in metric()
        remark = gateway.ask("GET", "/readyz").json["remarks"]["routes"]
        assert remark == "The files have 1 problems (event routes_refused): those of before hold."
        with reloaded(gateway):
            write(file, "/c", services.orders.url)
        assert statuses() == [404, 404, 200]
        assert "gateway_routes_refused 0.0" in metric()
    assert (load.failures, set(load.statuses)) == ([], {200})
    assert len(load.statuses) > 10
    told = [json.loads(line) for line in gateway.log.read_text().splitlines() if "routes_refused" in line]
    assert [line["problems"] for line in told] == [[f"{file}:5: routes[0].path: must begin with /"]]
