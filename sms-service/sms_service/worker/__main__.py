"""The worker process: ``python -m sms_service.worker`` takes jobs off the queue, a thread for each provider call."""

import signal
import sys
import threading

from prometheus_client import REGISTRY
from structlog import get_logger

from chassis.logs import configure_logs
from chassis.redis_client import connect_redis
from chassis.self_test import check_start
from chassis.settings import load_settings
from sms_service.codes.crypto import CodeKeys
from sms_service.codes.templates import TemplatesMalformed
from sms_service.providers.factory import make_templates
from sms_service.providers.provider import ProviderUnusable
from sms_service.queue.factory import make_consumer, make_inspection
from sms_service.routing.breaker import ProviderHealth
from sms_service.routing.dispatcher import make_dispatcher
from sms_service.settings import Settings
from sms_service.worker.collector import Backlog, SharedState
from sms_service.worker.health_server import WorkerHealth, ask_health
from sms_service.worker.job_handler import Sending, Texts
from sms_service.worker.job_states import SendJobs
from sms_service.worker.loop import WorkerLoop
from sms_service.worker.retry import Insistence

log = get_logger(__name__)


def main() -> None:
    """Run the worker until SIGTERM, or with ``--check`` ask a running one whether it is ready."""
    settings = load_settings(Settings)
    if "--check" in sys.argv[1:]:
        sys.exit(0 if ask_health(settings.metrics_port) else 1)
    configure_logs("sms-worker", settings.log_level)
    check_start(settings, redis_url=settings.redis_url)
    redis = connect_redis(settings.redis_url, max_connections=settings.worker_threads + 4)
    keys = CodeKeys(settings.code_key.get_secret_value())
    stopping = threading.Event()
    insist = Insistence(stopping)
    try:
        templates = make_templates(settings)
        dispatcher = make_dispatcher(settings, redis, keys, templates, insist=insist)
    except (TemplatesMalformed, ProviderUnusable) as error:
        sys.exit(f"Settings are missing or wrong:\n  {error}")
    consumer = make_consumer(settings)
    worker = WorkerLoop(consumer, threads=settings.worker_threads, stopping=stopping)
    useful = settings.useful_lifetime_seconds
    window = settings.claim_window_seconds
    jobs = SendJobs(redis, keys, useful_lifetime_seconds=useful, claim_window_seconds=window)
    sending = Sending(
        consumer,
        jobs,
        dispatcher,
        Texts(templates, code_ttl_seconds=settings.code_ttl_seconds),
        useful_lifetime_seconds=useful,
        insist=insist,
        stopping=stopping,
    )
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, worker.stop)
    backlog = Backlog(redis, code_ttl_seconds=settings.code_ttl_seconds)
    REGISTRY.register(SharedState(make_inspection(settings), backlog, ProviderHealth(redis), settings.providers))
    checks = {"queue": consumer.is_up, "redis": redis.ping}
    with WorkerHealth(settings.bind_host, settings.metrics_port, is_alive=worker.is_alive, checks=checks):
        log.info("worker_started", providers=settings.providers, threads=settings.worker_threads)
        worker.run(sending.handle)
    consumer.close()
    dispatcher.close()
    log.info("worker_stopped")


if __name__ == "__main__":
    main()
