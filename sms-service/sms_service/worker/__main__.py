"""The worker process: ``python -m sms_service.worker`` takes jobs off the queue, a thread for each provider call."""

import signal
import sys
import threading

from prometheus_client import REGISTRY
from redis import Redis
from structlog import get_logger

from chassis.logs import configure_logs
from chassis.redis_client import connect_redis
from chassis.self_test import check_start
from chassis.settings import fail_to_boot, load_settings
from sms_service.codes.templates import TemplatesMalformed
from sms_service.providers.provider import ProviderUnusable
from sms_service.queue.factory import make_consumer, make_inspection
from sms_service.settings import Settings
from sms_service.worker.collector import SharedState
from sms_service.worker.health_server import create_health_app, serve_health
from sms_service.worker.heartbeat import Heartbeat
from sms_service.worker.job_handler import JobHandler, make_job_handler
from sms_service.worker.loop import WorkerLoop

log = get_logger(__name__)


def main() -> None:
    """Run the worker until SIGTERM.

    ``--check-settings`` ends before the first job: with 0, or with 3 if a worker cannot run on these settings. There is
    no other option.
    """
    if unknown := set(sys.argv[1:]) - {"--check-settings"}:  # Else a mistaken health check would start workers.
        sys.exit(f"Unknown options: {' '.join(sorted(unknown))}")
    settings = load_settings(Settings)
    configure_logs("sms-worker", settings.log_level)
    check_start(settings, redis_url=settings.redis_url)
    redis = connect_redis(settings.redis_url, max_connections=settings.worker_threads + 4)
    try:
        handler = make_job_handler(settings, redis, make_consumer(settings), stopping=threading.Event())
    except (TemplatesMalformed, ProviderUnusable) as error:
        fail_to_boot("Settings are missing or wrong:", [str(error)])
    if "--check-settings" in sys.argv[1:]:
        return
    REGISTRY.register(SharedState(make_inspection(settings), redis, settings.providers))
    run_worker(settings, redis, handler)


def run_worker(settings: Settings, redis: Redis, handler: JobHandler) -> None:
    """Handle jobs and answer health checks until a signal comes; then finish what is leased."""
    heartbeat = Heartbeat(
        redis, seen_within_seconds=settings.worker_seen_within_seconds, code_ttl_seconds=settings.code_ttl_seconds
    )
    loop = WorkerLoop(handler.consumer, threads=settings.worker_threads, stopping=handler.stopping, heartbeat=heartbeat)
    signal.signal(signal.SIGTERM, loop.stop)
    signal.signal(signal.SIGINT, loop.stop)
    app = create_health_app(loop, handler.consumer, redis, heartbeat)
    with serve_health(app, host=settings.bind_host, port=settings.metrics_port):
        log.info("worker_started", providers=settings.providers, threads=settings.worker_threads)
        loop.run(handler.handle)
    handler.consumer.close_connections()
    handler.dispatcher.close_connections()
    log.info("worker_stopped")


if __name__ == "__main__":
    main()
