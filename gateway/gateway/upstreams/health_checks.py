"""Asks ejected replicas whether they answer again, so that no client's request has to try it out."""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from gateway.proxy.body import Body
from gateway.upstreams.connection import ResponseMalformed
from gateway.upstreams.replicas import Replica
from gateway.upstreams.upstream import Upstream

_AGAIN_SECONDS = 0.2
_ANSWER_SECONDS = 0.5
_AT_ONCE = 8


class HealthChecks:
    """One thread of a worker process, which sleeps while no replica of any service is ejected."""

    def __init__(self, upstreams: Iterable[Upstream], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._upstreams = tuple(upstreams)
        self._clock = clock
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        for upstream in self._upstreams:
            upstream.on_ejected = self._wake.set

    def start(self) -> None:
        """Start the thread; called after the fork."""
        self._thread = threading.Thread(target=self._run, name="health-checks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stopped.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def check_once(self) -> bool:
        """Ask every ejected replica whose time is over, and say whether any replica is ejected."""
        ejected = [(upstream, replica) for upstream in self._upstreams for replica in upstream.replicas.ejected()]
        for upstream in {upstream for upstream, _ in ejected}:
            upstream.refresh_names()
        now = self._clock()
        due = [(upstream, replica) for upstream, replica in ejected if (replica.ejected_until or 0.0) <= now]
        if due:
            # A frozen replica answers nothing until the end; nobody waits for it but its own thread.
            with ThreadPoolExecutor(min(len(due), _AT_ONCE)) as pool:
                list(pool.map(_check, due))
        return bool(ejected)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.clear()
            if self.check_once():
                self._stopped.wait(_AGAIN_SECONDS)
            else:
                self._wake.wait()


def _check(checked: tuple[Upstream, Replica]) -> None:
    upstream, replica = checked
    if _answers(replica):
        upstream.replicas.restore(replica)


def _answers(replica: Replica) -> bool:
    """Say whether there is an HTTP response to ``GET /healthz``, of whatever status."""
    try:
        connection = replica.open_connection(connect_seconds=_ANSWER_SECONDS, read_seconds=_ANSWER_SECONDS)
    except OSError:
        return False
    try:
        connection.send_request("GET", "/healthz", [("Host", replica.host), ("Connection", "close")], Body(b"", 0))
        connection.read_head("GET", until=time.monotonic() + _ANSWER_SECONDS)
    except (OSError, ResponseMalformed):
        return False
    finally:
        connection.close()
    return True
