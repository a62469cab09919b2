"""gunicorn for every HTTP service: gthread, one public and one metrics address, JSON logs, a bounded drain.

Variables: SERVICE (``captcha-service``), BIND_HOST, PORT, METRICS_PORT, WEB_CONCURRENCY (workers), THREADS.
"""

import os
import shutil
import tempfile

import structlog
from prometheus_client import multiprocess

from chassis.logs import line_processors

wsgi_app = f"{os.environ['SERVICE'].replace('-', '_')}.app:create_app()"
_host = os.environ.get("BIND_HOST", "127.0.0.1")
bind = [f"{_host}:{os.environ.get('PORT', '8000')}", f"{_host}:{os.environ.get('METRICS_PORT', '9100')}"]
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
threads = int(os.environ.get("THREADS", "8"))

# The gateway keeps an idle connection for a shorter time, so that it never uses one that gunicorn is closing.
keepalive = 75
timeout = 60
graceful_timeout = 20  # The compose file's stop_grace_period is longer.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None

# The parser in Python refuses folded headers and bare line feeds; the optional C parser lets some through.
http_parser = "python"
header_map = "refuse"
forwarded_allow_ips = ""
control_socket_disable = True

accesslog = None  # The apps write one line per request themselves.
_json = {
    "()": structlog.stdlib.ProcessorFormatter,
    "processor": structlog.processors.JSONRenderer(ensure_ascii=False),
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

# One file per worker and metric; a fresh folder each time, because files of dead processes would be counted.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="metrics-")


def child_exit(server, worker):  # noqa: ARG001
    """Stop counting a dead worker's gauges."""
    multiprocess.mark_process_dead(worker.pid)


def on_exit(server):  # noqa: ARG001
    """Remove the metrics folder."""
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
