"""The programs that ours are compared with: Flask apps under gunicorn, and better-auth under Node."""

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.effort import NotMeasured
from local.settings import free_ports
from stage.accounts import START_SECONDS
from stage.processes import ROOT, wait_until_ready

_BETTER_AUTH = Path(__file__).parent / "better-auth"
_INSTALL_SECONDS = 1000  # It compiles SQLite, and gives up after 900.


@contextmanager
def flask_app(app: str, folder: Path, **env: str) -> Iterator[str]:
    """Run an app under gunicorn with the numbers of processes and threads of a service of ours; gives its address."""
    [port] = free_ports(1)
    command = [sys.executable, "-m", "gunicorn", "-k", "gthread", "--threads", "8", "-b", f"127.0.0.1:{port}", app]
    path = os.pathsep.join([str(ROOT / "tests-e2e"), os.environ.get("PYTHONPATH", "")])
    with _running(command, port, folder / f"{app}.log", {**env, "PYTHONPATH": path}) as address:
        yield address


@contextmanager
def better_auth(folder: Path) -> Iterator[str]:
    """Run better-auth on a SQLite file of its own; gives its address.

    Raises:
        NotMeasured: Node is missing, or its packages cannot be installed.
    """
    if shutil.which("npm") is None:
        raise NotMeasured("Node is missing")
    installed = subprocess.run(
        [_BETTER_AUTH / "install"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_INSTALL_SECONDS
    )
    if installed.returncode:
        raise NotMeasured(f"better-auth cannot be installed: {installed.stderr[-200:]}")
    [port] = free_ports(1)
    command = ["node", str(Path(installed.stdout.strip(), "server.js")), str(port), str(folder / "better-auth.db")]
    env = {"NODE_ENV": "production", "BETTER_AUTH_SECRET": secrets.token_urlsafe(32)}
    with _running(command, port, folder / "better-auth.log", env) as address:
        yield address


@contextmanager
def _running(command: list[str], port: int, log: Path, env: Mapping[str, str]) -> Iterator[str]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, env={**os.environ, **env}, stdout=out, stderr=out)
    try:
        wait_until_ready(process, port, log, seconds=START_SECONDS)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)
