"""gunicorn for every HTTP service: one public and one metrics address, JSON logs, a bounded drain, problems.

Variables: SERVICE (``captcha-service``), BIND_HOST, PORT, METRICS_PORT, WEB_CONCURRENCY (workers), THREADS (requests in
work at the same time, in each worker), and DRAIN_SECONDS, for which a stopping service goes on, with 503 at
``/readyz``: what a load balancer needs to leave.
"""

import logging
import os
import shutil
import sys
import tempfile
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
# What the workers of the gateway share about its routes; each run of this file is a start or a reload.
os.environ["WORKERS_DIR"] = os.environ["PROMETHEUS_MULTIPROC_DIR"]
os.environ["RELOADS"] = str(int(os.environ.get("RELOADS", "0")) + 1)

import structlog  # noqa: E402
from prometheus_client.mmap_dict import MmapedDict  # noqa: E402

from chassis.logs import line_processors  # noqa: E402

wsgi_app = f"{os.environ['SERVICE'].replace('-', '_')}.app:create_app()"
_host = os.environ.get("BIND_HOST", "127.0.0.1")
bind = [f"{_host}:{os.environ.get('PORT', '8000')}", f"{_host}:{os.environ.get('METRICS_PORT', '9100')}"]
_is_gateway = os.environ["SERVICE"] == "gateway"
worker_class = "serving.greenlets.GreenletWorker" if _is_gateway else "serving.worker.Worker"
worker_connections = 8192
workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
threads = int(os.environ.get("THREADS", "256" if _is_gateway else "8"))

# The gateway keeps an idle connection for a shorter time, so that it never uses one that gunicorn is closing.
keepalive = 75
timeout = 60
graceful_timeout = 20  # DRAIN_SECONDS are a part of it. The compose file's stop_grace_period is longer.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None

# The parser in Python refuses folded headers and bare line feeds; the optional C parser lets some through.
http_parser = "python"
header_map = "drop"  # A header with an underscore could be taken for another one; it does not arrive, as at nginx.
# What passes the gateway must pass the services: it adds a few headers, and a space behind the colon.
limit_request_fields, limit_request_field_size = (100, 8190) if _is_gateway else (128, 16_380)
forwarded_allow_ips = ""
control_socket_disable = True

logger_class = "serving.log_lines.Logger"  # The apps write one line per request themselves.
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


def when_ready(server):
    """Let the workers know of a stop of the whole service; at a reload they get the same signal."""
    stop = server.stop

    def telling_stop(graceful=True):
        Path(os.environ["PROMETHEUS_MULTIPROC_DIR"], "stopping").touch()
        stop(graceful)

    server.stop = telling_stop


def post_fork(server, worker):  # noqa: ARG001
    """Prepare greenlets where there are some, and let a worker write the lines of requests in batches.

    All other lines flush the batch, also gunicorn's own.
    """
    if hasattr(worker, "patch"):
        worker.patch()
    from serving.log_lines import LineBatch

    sys.stderr = LineBatch(sys.stderr)
    for handler in logging.getLogger("gunicorn.error").handlers:
        handler.setStream(sys.stderr)


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
