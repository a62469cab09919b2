"""Our worker class with greenlets in place of threads, for a service that does nothing but wait for others.

Threads of one process hand the interpreter to and fro, which costs as much again as a bare request. Greenlets do not,
and a waiting one costs some memory only, so that slow answers of one service hold up no request to another. A service
that computes (argon2, pictures) or whose libraries know nothing of gevent keeps its threads.
"""

import selectors
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any  # gunicorn and gevent have no types.

import gevent  # type: ignore[import-untyped]
from gevent import monkey
from gevent.event import Event  # type: ignore[import-untyped]
from gevent.queue import SimpleQueue  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from serving.worker import Connection, Worker

_READ, _WRITE = 1, 2  # libev's EV_READ and EV_WRITE.


class HubPoller:
    """What the worker uses of a selector. gevent's hub runs the callbacks as soon as a file is ready; none may wait."""

    def __init__(self, on_error: Callable[[str], object]) -> None:
        self._hub = gevent.get_hub()
        self._watchers: dict[int, Any] = {}
        self._woken = Event()
        self._on_error = on_error

    def register(self, file: Any, event: int, callback: Callable[[Any], object]) -> None:
        """Have ``callback(file)`` run whenever the file, or descriptor, can be read or written."""
        descriptor = file if isinstance(file, int) else file.fileno()
        watcher = self._hub.loop.io(descriptor, _READ if event == selectors.EVENT_READ else _WRITE)
        watcher.start(self._run, callback, file)
        self._watchers[descriptor] = watcher

    def unregister(self, file: Any) -> None:
        """End that; the file is still open."""
        watcher = self._watchers.pop(file if isinstance(file, int) else file.fileno())
        watcher.stop()
        watcher.close()

    def select(self, timeout: float) -> list[Any]:
        """Let the hub work until `wake` is called, or for some seconds; nothing is left for the caller to do."""
        self._woken.wait(timeout)
        self._woken.clear()
        return []

    def wake(self) -> None:
        """End `select`."""
        self._woken.set()

    def close(self) -> None:
        """End all watching."""
        for descriptor in list(self._watchers):
            self.unregister(descriptor)

    def _run(self, callback: Callable[[Any], object], file: Any) -> None:
        try:
            callback(file)
        except Exception:
            self._on_error("Error in the poller")


class GreenletPool:
    """A fixed number of greenlets that take calls from one queue, in turn."""

    def __init__(self, size: int) -> None:
        self._calls: Any = SimpleQueue()
        for _ in range(size):
            gevent.spawn(self._work)

    def call(self, function: Callable[[Any], object], argument: Any) -> None:
        """Have a greenlet call a function that raises nothing; this does not wait for it."""
        self._calls.put((function, argument))

    def shutdown(self, wait: bool = False) -> None:
        """Do nothing: greenlets end with their process."""

    def _work(self) -> None:
        while True:
            function, argument = self._calls.get()
            function(argument)


class GreenletWorker(Worker):
    """The worker class of the gateway. THREADS is the number of requests in work at the same time."""

    tpool: GreenletPool
    poller: HubPoller

    @staticmethod
    def patch() -> None:
        """Let everything of Python that waits let others work meanwhile. `post_fork` calls it, in the worker."""
        monkey.patch_all()

    def init_process(self) -> None:
        """Prepare and run the worker; as `ThreadWorker` does, with a poller and a pool of greenlets."""
        self.tpool = GreenletPool(self.cfg.threads)
        self.poller = HubPoller(self.log.exception)
        self.method_queue.init()
        super(ThreadWorker, self).init_process()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Begin to stop."""
        super().handle_exit(sig, frame)
        self.poller.wake()

    def enqueue_req(self, conn: Connection) -> None:
        """Give a whole request to a greenlet."""
        self.tpool.call(self._serve, conn)

    def _serve(self, conn: Connection) -> None:
        done: Future[bool] = Future()
        try:
            done.set_result(self.handle(conn))
        except Exception as error:
            done.set_exception(error)
        try:
            self.finish_request(conn, done)
        except Exception:
            self.log.exception("Error after a request")
        if not self.alive:
            self.poller.wake()

    def _close(self, conn: Connection) -> None:
        super()._close(conn)
        if not self.alive:
            self.poller.wake()
