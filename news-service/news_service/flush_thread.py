"""The thread of every worker that flushes the counted views."""

import threading

from structlog import get_logger

from news_service.view_flushes import ViewFlushes

log = get_logger(__name__)


class FlushThread:
    """Flushes every few seconds until it is stopped. The first flush also finishes what a crash has left behind."""

    def __init__(self, flushes: ViewFlushes, *, every_seconds: float) -> None:
        self._flushes = flushes
        self._every_seconds = every_seconds
        self._starting = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, unless it runs. Called after the fork, by a worker's first request."""
        if self._thread is not None:
            return
        with self._starting:
            if self._thread is None and not self._stopped.is_set():
                # A daemon: views that are not flushed at the end of a worker stay in Redis.
                self._thread = threading.Thread(target=self._run, name="view-flusher", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Stop the thread and wait for a flush in hand."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopped.wait(self._every_seconds):
            try:
                self._flushes.flush()
            except Exception as error:
                # The loop of a worker: whatever happens, the next round tries again.
                log.warning("views_not_flushed", exc_info=error)
