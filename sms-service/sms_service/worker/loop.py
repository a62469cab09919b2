"""The worker's loop: it leases as many jobs as it has free threads, until it is told to stop."""

import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

from structlog import get_logger

from chassis.errors import DependencyUnavailable
from chassis.tracing import begin_request
from sms_service import metrics
from sms_service.queue.interface import JobConsumer, Lease, NotPublished
from sms_service.worker.heartbeat import Heartbeat

log = get_logger(__name__)
_WAIT_SECONDS = 1.0
_ALIVE_SECONDS = 30.0


class WorkerLoop:
    """The loop; each lease is handled by a thread of its own. A loop that hangs sends no heartbeat."""

    def __init__(self, consumer: JobConsumer, *, threads: int, stopping: threading.Event, heartbeat: Heartbeat) -> None:
        self._consumer = consumer
        self._heartbeat = heartbeat
        self._threads = threads
        self._free_threads = threading.Semaphore(threads)
        self._stopping = stopping
        self._turned_at = time.monotonic()
        self._can_lease = False

    def run(self, handle: Callable[[Lease], None]) -> None:
        """Handle jobs until `stop`; then lease no more, and return when the leased ones are finished."""
        with ThreadPoolExecutor(self._threads, thread_name_prefix="send") as pool:
            while not self._stopping.is_set():
                self._turned_at = time.monotonic()
                threads = self._acquire_threads()
                leases = self._lease_jobs(threads) if threads and not self._stopping.is_set() else []
                for lease in leases:
                    pool.submit(self._handle, handle, lease)
                if threads > len(leases):
                    self._free_threads.release(threads - len(leases))
                self._beat(is_idle=threads > 0 and not leases)
            self._leave()
            metrics.DRAINING.set(1)
            self._consumer.stop()
        metrics.DRAINING.set(0)

    def _acquire_threads(self) -> int:
        """Wait a while for a free thread, acquire all that are free, and return how many."""
        threads = int(self._free_threads.acquire(timeout=_WAIT_SECONDS))
        while threads and self._free_threads.acquire(blocking=False):
            threads += 1
        return threads

    def _lease_jobs(self, limit: int) -> list[Lease]:
        try:
            leases = self._consumer.lease(limit=limit, wait_seconds=_WAIT_SECONDS)
        except Exception:
            self._can_lease = False
            log.exception("lease_failed")
            self._stopping.wait(_WAIT_SECONDS)
            return []
        self._can_lease = True
        return leases

    def _beat(self, *, is_idle: bool) -> None:
        """Send the heartbeat if it is due, and if this worker can take jobs."""
        try:
            if not self._stopping.is_set() and self._heartbeat.is_due() and self._can_lease and self._consumer.is_up():
                self._heartbeat.beat(is_idle=is_idle)
        except DependencyUnavailable as error:
            log.warning("heartbeat_failed", error=str(error))

    def _leave(self) -> None:
        try:
            self._heartbeat.leave()
        except DependencyUnavailable as error:  # Redis forgets this worker by itself.
            log.warning("heartbeat_failed", error=str(error))

    def _handle(self, handle: Callable[[Lease], None], lease: Lease) -> None:
        begin_request(lease.job.request_id, lease.job.traceparent)
        metrics.BUSY_THREADS.inc()
        try:
            handle(lease)
        except (DependencyUnavailable, NotPublished) as error:
            log.warning("job_left", job=lease.job.id, error=str(error))
        except Exception:
            log.exception("job_broke", job=lease.job.id)
            self._dead_letter(lease)
        finally:
            metrics.BUSY_THREADS.dec()
            self._free_threads.release()

    def _dead_letter(self, lease: Lease) -> None:
        # A poison message: the next worker would fail over it too, and a lease that is left alone keeps one of this
        # worker's places for ever.
        try:
            self._consumer.dead_letter(lease, "broke")
        except (DependencyUnavailable, NotPublished) as error:
            log.warning("job_left", job=lease.job.id, error=str(error))

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """End the loop. A second signal kills the process at once."""
        self._stopping.set()
        if _signal:
            signal.signal(_signal, signal.SIG_DFL)

    def is_alive(self) -> bool:
        """Say whether the loop has turned within the last 30 seconds."""
        return time.monotonic() - self._turned_at < _ALIVE_SECONDS
