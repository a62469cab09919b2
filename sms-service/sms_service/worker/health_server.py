"""The worker's small HTTP port: ``/healthz``, ``/readyz`` and ``/metrics``."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import svcs
from flask import Flask
from redis import Redis
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import WSGIRequestHandler, make_server

from chassis.metrics import metrics_app
from chassis.web import install_health
from sms_service.queue.interface import JobConsumer
from sms_service.worker.heartbeat import Heartbeat
from sms_service.worker.loop import WorkerLoop


class _QuietHandler(WSGIRequestHandler):
    def log(self, *_arguments: object) -> None:
        """Write no access log, because only health checks and Prometheus call."""

    def send_header(self, keyword: str, value: str) -> None:
        """Write a header, but none that names the server's software."""
        if keyword.lower() != "server":
            super().send_header(keyword, value)


def create_health_app(loop: WorkerLoop, consumer: JobConsumer, redis: Redis, heartbeat: Heartbeat) -> Flask:
    """Make the app: ``/healthz`` says whether the loop turns, ``/readyz`` whether jobs come in and the API knows it."""
    app = Flask(__name__)
    svcs.flask.init_app(app)
    svcs.flask.register_value(app, JobConsumer, consumer, ping=_check_consumer)
    svcs.flask.register_value(app, Redis, redis, ping=lambda redis: redis.ping())
    svcs.flask.register_value(app, Heartbeat, heartbeat, ping=Heartbeat.check)
    install_health(app)

    def healthz() -> tuple[dict[str, str], int]:
        return ({"status": "up"}, 200) if loop.is_alive() else ({"status": "down"}, 503)

    app.view_functions["healthz"] = healthz  # That of the chassis says "up" as long as the process answers.
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/metrics": metrics_app()})  # type: ignore[method-assign]
    return app


def _check_consumer(consumer: JobConsumer) -> None:
    if not consumer.is_up():
        raise ConnectionError("the queue delivers no jobs now")


@contextmanager
def serve_health(app: Flask, *, host: str, port: int) -> Iterator[int]:
    """Answer on a thread of its own while the ``with`` block runs; port 0 means any free one. Yields the port."""
    server = make_server(host, port, app, threaded=True, request_handler=_QuietHandler)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
