"""The worker's loop: as many jobs in hand as there are threads, until it is told to stop."""

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

log = get_logger(__name__)
_WAIT_SECONDS = 1.0
_ALIVE_SECONDS = 30.0


class WorkerLoop:
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
            self._bury(lease)
        finally:
            metrics.BUSY_THREADS.dec()
            self._free.release()

    def _bury(self, lease: Lease) -> None:
        # What breaks us would break the next worker too; left alone it would hold a place of this one for ever.
        try:
            self._consumer.bury(lease, "broke")
        except (DependencyUnavailable, NotPublished) as error:
            log.warning("job_left", job=lease.job.id, error=str(error))

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """End the loop. A second signal kills the process, as it would without us."""
        self._stopping.set()
        if _signal:
            signal.signal(_signal, signal.SIG_DFL)

    def is_alive(self) -> bool:
        """Say whether the loop turns."""
        return time.monotonic() - self._beat_at < _ALIVE_SECONDS
