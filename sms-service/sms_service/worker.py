"""The worker process: takes jobs off the queue, a thread for each provider call. ``python -m sms_service.worker``."""

import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

from structlog import get_logger

from chassis.errors import DependencyUnavailable
from chassis.logs import configure_logs
from chassis.redis_client import connect_redis
from chassis.settings import load_settings
from chassis.tracing import begin_request
from sms_service import metrics
from sms_service.codes.sealing import CodeKeys
from sms_service.codes.send_jobs import SendJobs
from sms_service.insistence import Insistence
from sms_service.providers.chosen import make_provider
from sms_service.providers.provider import ProviderUnusable
from sms_service.queues.chosen import make_consumer
from sms_service.queues.job_queue import JobConsumer, Lease, NotPublished
from sms_service.sending import Sending, SendingRules
from sms_service.settings import Settings
from sms_service.templates import Templates, TemplatesMalformed
from sms_service.worker_health import WorkerHealth, ask_health

log = get_logger(__name__)
_WAIT_SECONDS = 1.0
_ALIVE_SECONDS = 30.0


class Worker:
    """The loop: as many leases as there are free threads, each handled to its end."""

    def __init__(self, consumer: JobConsumer, *, threads: int, stopping: threading.Event) -> None:
        self._consumer = consumer
        self._threads = threads
        self._free = threading.Semaphore(threads)
        self._stopping = stopping
        self._beat_at = time.monotonic()

    def run(self, handle: Callable[[Lease], None]) -> None:
        """Handle jobs until `stop`; then finish those in hand, and take no others."""
        with ThreadPoolExecutor(self._threads, thread_name_prefix="send") as pool:
            while not self._stopping.is_set():
                self._beat_at = time.monotonic()
                slots = self._free_slots()
                leases = self._lease(slots) if slots and not self._stopping.is_set() else []
                for lease in leases:
                    pool.submit(self._handle, handle, lease)
                self._give_back(slots - len(leases))
            metrics.DRAINING.set(1)
            self._consumer.stop()
        metrics.DRAINING.set(0)

    def _free_slots(self) -> int:
        """Wait a while for a free thread, and take all that are free."""
        slots = int(self._free.acquire(timeout=_WAIT_SECONDS))
        while slots and self._free.acquire(blocking=False):
            slots += 1
        return slots

    def _give_back(self, slots: int) -> None:
        if slots:
            self._free.release(slots)

    def _lease(self, limit: int) -> list[Lease]:
        try:
            return self._consumer.lease(limit=limit, wait_seconds=_WAIT_SECONDS)
        except Exception:
            log.exception("lease_failed")
            self._stopping.wait(_WAIT_SECONDS)
            return []

    def _handle(self, handle: Callable[[Lease], None], lease: Lease) -> None:
        begin_request(lease.job.request_id)
        metrics.BUSY_THREADS.inc()
        try:
            handle(lease)
        except (DependencyUnavailable, NotPublished) as error:
            log.warning("job_left", job=lease.job.id, error=str(error))
        except Exception:
            log.exception("job_broke", job=lease.job.id)
        finally:
            metrics.BUSY_THREADS.dec()
            self._free.release()

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """End the loop. A second signal kills the process, as it would without us."""
        self._stopping.set()
        if _signal:
            signal.signal(_signal, signal.SIG_DFL)

    def is_alive(self) -> bool:
        """Say whether the loop turns."""
        return time.monotonic() - self._beat_at < _ALIVE_SECONDS


def main() -> None:
    """Run the worker until SIGTERM, or with ``--check`` ask a running one whether it is ready."""
    settings = load_settings(Settings)
    if "--check" in sys.argv[1:]:
        sys.exit(0 if ask_health(settings.metrics_port) else 1)
    configure_logs("sms-worker", settings.log_level)
    redis = connect_redis(settings.redis_url, max_connections=settings.worker_threads + 4)
    keys = CodeKeys(settings.code_key.get_secret_value())
    try:
        templates = Templates(settings.templates_file)
        provider = make_provider(settings.provider, settings, redis, keys, templates)
    except (TemplatesMalformed, ProviderUnusable) as error:
        sys.exit(f"Settings are missing or wrong:\n  {error}")
    consumer = make_consumer(settings)
    stopping = threading.Event()
    worker = Worker(consumer, threads=settings.worker_threads, stopping=stopping)
    useful = settings.useful_lifetime_seconds
    window = settings.claim_window_seconds
    jobs = SendJobs(redis, keys, useful_lifetime_seconds=useful, claim_window_seconds=window)
    rules = SendingRules(settings.code_ttl_seconds, useful)
    sending = Sending(consumer, jobs, provider, rules, templates=templates, insist=Insistence(stopping))
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, worker.stop)
    checks = {"queue": consumer.is_up, "redis": redis.ping}
    with WorkerHealth(settings.bind_host, settings.metrics_port, is_alive=worker.is_alive, checks=checks):
        log.info("worker_started", provider=provider.name, threads=settings.worker_threads)
        worker.run(sending.handle)
    consumer.close()
    provider.close()
    log.info("worker_stopped")


if __name__ == "__main__":
    main()
