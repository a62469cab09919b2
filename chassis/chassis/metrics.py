"""Prometheus metrics of every HTTP service, on the internal port only, merged over its workers."""

import os
from collections.abc import Iterable
from functools import lru_cache
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, Metric, make_wsgi_app
from prometheus_client.multiprocess import MultiProcessCollector

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
REQUESTS = Counter("http_requests_total", "Requests answered.", ["service", "method", "route", "status"])
SECONDS = Histogram(
    "http_request_seconds",
    "Time from the request to the answer's head.",
    ["service", "route"],
    buckets=BUCKETS,
)
_requests, _seconds = lru_cache(4096)(REQUESTS.labels), lru_cache(4096)(SECONDS.labels)  # The lookup costs as much.


def count_request(seconds: float, *, service: str, method: str, route: str, status: int) -> None:
    """Count one answered request."""
    _requests(service, method, route, status).inc()
    _seconds(service, route).observe(seconds)


def metrics_app() -> WSGIApplication:
    """Build the WSGI app that prints the metrics of all workers of this service.

    The library keeps the workers' files in the folder PROMETHEUS_MULTIPROC_DIR, which deploy/gunicorn.conf.py sets.
    """
    return make_wsgi_app(registry())


def registry() -> CollectorRegistry:
    """Return what reads the samples of all workers of this service; see `metrics_app`."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    merged = CollectorRegistry()
    _WorkersCollector(merged)  # type: ignore[no-untyped-call]
    return merged


class _WorkersCollector(MultiProcessCollector):
    """The library's collector, which reads the files once more when one vanished before it was read."""

    def collect(self) -> Iterable[Metric]:
        """Merge the files of all workers."""
        try:
            return super().collect()  # type: ignore[no-untyped-call, no-any-return]
        except FileNotFoundError:  # gunicorn.conf.py has just removed it.
            return super().collect()  # type: ignore[no-untyped-call, no-any-return]


class MetricsMiddleware:
    """WSGI middleware: the internal port answers ``/metrics`` and nothing else; other ports never answer it."""

    def __init__(self, app: WSGIApplication, port: int) -> None:
        self._app = app
        self._port = str(port)
        self._metrics = metrics_app()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if environ["SERVER_PORT"] != self._port:
            return self._app(environ, start_response)
        if environ.get("PATH_INFO") == "/metrics":
            return self._metrics(environ, start_response)
        start_response("404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", "0")])
        return [b""]
