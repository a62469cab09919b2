"""gunicorn for every HTTP service: gthread, one public and one metrics address, JSON logs, a bounded drain, problems.

Variables: SERVICE (``captcha-service``), BIND_HOST, PORT, METRICS_PORT, WEB_CONCURRENCY (workers), THREADS.
"""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path


def _metrics_folder() -> str:
    """Make the folder that holds one file per worker and kind of metric, in memory where the machine has /dev/shm.

    It is this gunicorn's own: files of an earlier run would be counted again. What a killed gunicorn left is removed.
    A reload (SIGHUP) runs this file again and keeps the folder.
    """
    root = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir())
    for old in root.glob("xinjing-metrics-*"):
        if not Path("/proc", old.name.split("-")[2]).exists() and Path("/proc/self").exists():
            shutil.rmtree(old, ignore_errors=True)
    present, prefix = os.environ.get("PROMETHEUS_MULTIPROC_DIR", ""), f"xinjing-metrics-{os.getpid()}-"
    is_ours = Path(present).name.startswith(prefix) and os.path.isdir(present)
    return present if is_ours else tempfile.mkdtemp(prefix=prefix, dir=root)


# Whoever imports prometheus_client first (chassis does) makes it read the variable, once: above all other imports.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _metrics_folder()

import structlog  # noqa: E402
from gunicorn import util  # noqa: E402
from gunicorn.http import errors as http_errors  # noqa: E402
from gunicorn.http import wsgi  # noqa: E402
from gunicorn.workers.gthread import ThreadWorker  # noqa: E402
from prometheus_client.mmap_dict import MmapedDict  # noqa: E402

from chassis.logs import line_processors  # noqa: E402


class ProblemWorker(ThreadWorker):
    """gthread that answers what it refuses itself with a problem as every service does, and logs and counts it."""

    def handle_error(self, req, client, addr, exc):
        """Answer a request that is no HTTP, is too long, or broke inside gunicorn; the connection ends with it."""
        # Imported in the worker: after a reload (SIGHUP) the master must not hold old modules of the app.
        from chassis.metrics import REQUESTS
        from chassis.problems import problem_response
        from chassis.tracing import REQUEST_ID_HEADER, begin_request

        request_id = begin_request(dict(getattr(req, "headers", ())).get(REQUEST_ID_HEADER.upper()))
        error, log = _refusal_of(exc), structlog.get_logger("gunicorn")
        peer = addr[0] if isinstance(addr, tuple) else ""
        line = {"route": "unreadable", "status": error.status, "client_ip": peer}
        if error.status == 500:
            log.error("request", **line, exc_info=exc)
        else:
            log.info("request", **line, error=type(exc).__name__)  # Its text holds what the client sent.
        REQUESTS.labels(os.environ["SERVICE"], "other", "unreadable", error.status).inc()
        answer = problem_response(error)
        answer.headers.extend({REQUEST_ID_HEADER: request_id, "X-Content-Type-Options": "nosniff"})
        answer.headers.extend({"Date": util.http_date(), "Connection": "close"})
        body = b"" if getattr(req, "method", "") == "HEAD" else answer.data
        with suppress(OSError):  # The client is gone.
            util.write_nonblock(client, f"HTTP/1.1 {answer.status}\r\n{answer.headers}".encode() + body)


def _refusal_of(exc):
    from chassis import errors

    kinds = {
        http_errors.LimitRequestLine: errors.AddressTooLong,
        http_errors.LimitRequestHeaders: errors.HeadersTooLarge,
        http_errors.ExpectationFailed: errors.ExpectationFailed,
        http_errors.UnsupportedTransferCoding: errors.TransferCodingUnsupported,
        # The application's own header is at fault.
        http_errors.InvalidResponseHeader: errors.InternalError,
        http_errors.InvalidResponseHeaderName: errors.InternalError,
        http_errors.ConfigurationProblem: errors.InternalError,
        http_errors.ParseException: errors.RequestRefused,
    }
    return next((error for kind, error in kinds.items() if isinstance(exc, kind)), errors.InternalError)()


class _Response(wsgi.Response):
    """A response that does not name the server's software."""

    def default_headers(self):
        return [line for line in super().default_headers() if not line.startswith("Server:")]


wsgi.Response = _Response  # gunicorn has no setting for it.

wsgi_app = f"{os.environ['SERVICE'].replace('-', '_')}.app:create_app()"
_host = os.environ.get("BIND_HOST", "127.0.0.1")
bind = [f"{_host}:{os.environ.get('PORT', '8000')}", f"{_host}:{os.environ.get('METRICS_PORT', '9100')}"]
worker_class = ProblemWorker
workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
threads = int(os.environ.get("THREADS", "8"))

# The gateway keeps an idle connection for a shorter time, so that it never uses one that gunicorn is closing.
keepalive = 75
timeout = 60
graceful_timeout = 20  # The compose file's stop_grace_period is longer.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None

# The parser in Python refuses folded headers and bare line feeds; the optional C parser lets some through.
http_parser = "python"
header_map = "drop"  # A header with an underscore could be taken for another one; it does not arrive, as at nginx.
# What passes the gateway must pass the services: it adds a few headers, and a space behind the colon.
limit_request_fields, limit_request_field_size = (100, 8190) if os.environ["SERVICE"] == "gateway" else (128, 16_380)
forwarded_allow_ips = ""
control_socket_disable = True

accesslog = None  # The apps write one line per request themselves.
_json = {
    "()": structlog.stdlib.ProcessorFormatter,
    "processor": structlog.processors.JSONRenderer(ensure_ascii=False, separators=(",", ":")),
    "foreign_pre_chain": line_processors(os.environ["SERVICE"]),
}
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": _json},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"level": "WARNING", "handlers": ["stderr"]},
    "loggers": {"gunicorn.error": {"level": "INFO", "handlers": ["stderr"], "propagate": False}},
}


def child_exit(server, worker):  # noqa: ARG001
    """Remove a dead worker's files; its counts stay."""
    _fold_dead_worker(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]), worker.pid)


def on_exit(server):  # noqa: ARG001
    """Remove the metrics folder."""
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)


def _fold_dead_worker(folder: Path, pid: int) -> None:
    """Remove a dead worker's files; its counts are added to those of the dead before it, so that no counter falls.

    Of the gauges only the mode ``mostrecent`` outlives its worker. The library itself removes live gauges alone: every
    restart of a worker would leave files that each later scrape reads (client_python, issues 275 and 568).
    """
    for path in folder.glob(f"*_{pid}.db"):
        kind = path.name.removesuffix(f"_{pid}.db")
        if kind == "gauge_mostrecent" or not kind.startswith("gauge"):
            _add_values(path, folder / f"{kind}_dead.db", keep_latest=kind == "gauge_mostrecent")
        path.unlink()


def _add_values(path: Path, to: Path, *, keep_latest: bool) -> None:
    values: dict[str, tuple[float, float]] = {}
    for source in (to, path):
        if not source.exists():
            continue
        for key, value, timestamp, _ in MmapedDict.read_all_values_from_file(source):
            known, known_at = values.get(key, (0.0, 0.0))
            if keep_latest:
                values[key] = (value, timestamp) if timestamp >= known_at else (known, known_at)
            else:
                values[key] = known + value, 0.0
    fresh = to.with_suffix(".new")  # Not read by the collector before it is complete.
    fresh.unlink(missing_ok=True)
    written = MmapedDict(str(fresh))
    for key, (value, timestamp) in values.items():
        written.write_value(key, value, timestamp)
    written.close()
    fresh.replace(to)
