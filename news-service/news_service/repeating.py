"""Work that a worker repeats in a thread of its own, every few seconds."""

import threading
from collections.abc import Callable

from structlog import get_logger

log = get_logger(__name__)


class RepeatingThread:
    """Repeats work until it is stopped; a round that fails is logged, and the next one tries again."""

    def __init__(self, work: Callable[[], object], *, name: str, every_seconds: float) -> None:
        self._work = work
        self._name = name
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
                # A daemon: work that is not done at the end of a worker is done by the next one.
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Stop the thread and wait for a running round."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopped.wait(self._every_seconds):
            try:
                self._work()
            except Exception as error:
                # The last handler of a loop: the next round tries again.
                log.warning("round_failed", thread=self._name, exc_info=error)


class RepeatingThreads:
    """The threads of one worker."""

    def __init__(self, *threads: RepeatingThread) -> None:
        self._threads = threads

    def start(self) -> None:
        """Start those that do not run."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop all."""
        for thread in self._threads:
            thread.stop()
