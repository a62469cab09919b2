"""The processes of sms-service as an operator starts them, each with a log of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psutil
import requests

from local.settings import free_ports

ROOT = Path(__file__).parents[2]
_BIN = Path(sys.executable).parent
_START_SECONDS, _END_SECONDS = 30, 30


def is_ready(port: int) -> bool:
    """Ask `/readyz`."""
    try:
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200
    except requests.RequestException:
        return False


def wait_until_ready(process: "subprocess.Popen[bytes]", port: int, log: Path, *, seconds: float) -> None:
    """Return when a process is ready; fail with the end of its log if it ends, or is late."""
    end = time.monotonic() + seconds
    while not is_ready(port):
        assert process.poll() is None, log.read_text()[-4000:]
        assert time.monotonic() < end, log.read_text()[-4000:]
        time.sleep(0.05)


class Service:
    """One process with two ports; a worker has the second one alone."""

    def __init__(self, name: str, command: list[str], env: Mapping[str, str], folder: Path) -> None:
        self.port, self.metrics_port = free_ports(2)
        self._ready_port = self.port if name == "api" else self.metrics_port
        ports = {"PORT": str(self.port), "METRICS_PORT": str(self.metrics_port)}
        path = os.pathsep.join([str(ROOT / "tests-e2e"), env.get("PYTHONPATH", "")])
        self.log = folder / f"{name}-{self.port}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, env={**env, **ports, "PYTHONPATH": path}, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip

    def is_ready(self) -> bool:
        """Ask `/readyz`."""
        return is_ready(self._ready_port)

    def wait_until_ready(self) -> "Service":
        """Return when it is ready."""
        wait_until_ready(self.process, self._ready_port, self.log, seconds=_START_SECONDS)
        return self

    def metric(self, name: str) -> float:
        """Read one sample, named with its labels as Prometheus writes it; 0 if there is none."""
        lines = requests.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.rpartition(" ")[0] == name)

    def kill(self) -> None:
        """End it, and its children, with SIGKILL."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(_END_SECONDS)

    def stop(self) -> int:
        """End it with SIGTERM, and return its exit status."""
        self.process.terminate()
        return self.process.wait(_END_SECONDS)

    def children(self) -> list[psutil.Process]:
        """The processes that it forked."""
        return psutil.Process(self.process.pid).children()


def start_api(env: Mapping[str, str], folder: Path, *, processes: int = 1, app: str | None = None) -> Service:
    """Start gunicorn as deployed, or with a factory of ours that wires the app with other collaborators."""
    command = [sys.executable, str(_BIN / "gunicorn"), "-c", "deploy/gunicorn.conf.py", *([app] if app else [])]
    return Service("api", command, {**env, "SERVICE": "sms-service", "WEB_CONCURRENCY": str(processes)}, folder)


def start_worker(env: Mapping[str, str], folder: Path, *, module: str = "sms_service.worker") -> Service:
    """Start a worker, or a module of ours that wires one with other collaborators."""
    return Service("worker", [sys.executable, "-m", module], env, folder)


def flask(app: str, *words: str, env: Mapping[str, str]) -> None:
    """Run a command of an app, as an operator does."""
    subprocess.run([str(_BIN / "flask"), "--app", app, *words], env=env, cwd=ROOT, check=True, timeout=30)
