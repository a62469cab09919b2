"""The worker's small HTTP port: /healthz, /readyz and /metrics."""

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from socketserver import ThreadingMixIn
from types import TracebackType
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import requests
from structlog import get_logger

from chassis.metrics import metrics_app

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = get_logger(__name__)
_CHECK_SECONDS = 3


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, _format: str, *_arguments: object) -> None:
        """Write no access log: only probes call."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class WorkerHealth:
    """Answers probes on a thread of its own while the ``with`` block runs; port 0 means any free one."""

    def __init__(
        self, host: str, port: int, *, is_alive: Callable[[], bool], checks: Mapping[str, Callable[[], object]]
    ) -> None:
        self._is_alive = is_alive
        self._checks = checks
        self._metrics = metrics_app()
        self._server = make_server(host, port, self._answer, _Server, _QuietHandler)
        self.port = self._server.server_port

    def __enter__(self) -> "WorkerHealth":
        """Begin to answer."""
        threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ.get("PATH_INFO")
        if path == "/metrics":
            return self._metrics(environ, start_response)
        if path == "/healthz":
            checks = {"loop": self._is_alive()}
        elif path == "/readyz":
            checks = {name: _passes(name, check) for name, check in self._checks.items()}
        else:
            start_response("404 Not Found", [("Content-Length", "0")])
            return [b""]
        status = "200 OK" if all(checks.values()) else "503 Service Unavailable"
        body = json.dumps({"checks": {name: "up" if up else "down" for name, up in checks.items()}}).encode()
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]


def _passes(name: str, check: Callable[[], object]) -> bool:
    try:
        return bool(check())
    except Exception as error:  # A health check: whatever goes wrong means "down".
        log.warning("not_ready", part=name, error=str(error))
        return False


def ask_health(port: int) -> bool:
    """Ask the worker on this machine whether it is alive and ready; for container health checks."""
    with requests.Session() as session:
        session.trust_env = False
        try:
            return all(
                session.get(f"http://127.0.0.1:{port}/{path}", timeout=_CHECK_SECONDS).ok
                for path in ("healthz", "readyz")
            )
        except requests.RequestException:
            return False
