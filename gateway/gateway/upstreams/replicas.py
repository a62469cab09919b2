"""The replicas of one service: which of them gets a request, and which is ejected until it answers again.

A replica is ejected after a refused connection, or after several failures in a row. Its own error statuses are answers
and no failures. While it is ejected, `health_checks` asks it, and no request of a client does.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from structlog import get_logger

from chassis.errors import DependencyUnavailable
from gateway.metrics import EJECTED_REPLICAS, WAITING_REQUESTS
from gateway.upstreams.connection import ServiceConnection

log = get_logger(__name__)
_IDLE_SECONDS = 30  # Less than the 75 seconds for which the services keep an idle connection.
_MAX_IDLE = 64
_FAILURES_IN_A_ROW = 3
# A replica that is ejected again, with no answer in between, stays so for twice the time.
_FIRST_EJECTION_SECONDS, _LONGEST_EJECTION_SECONDS = 0.2, 5.0
# Who said `Connection: close` is about to stop (`serving.worker` goes on for two seconds): the others come first.
_DRAINING_SECONDS = 3.0
# A restart is over by then; after it, requests are refused at once.
_RESTART_SECONDS = 3.0
_WAIT_SECONDS = 2.0
_SILENCE_SECONDS = 0.5
_RETRY_AFTER_SECONDS = 2  # A service that restarts is back after some seconds.


@dataclass(frozen=True)
class Bounds:
    """How many requests of one worker process may wait for a service that answers nothing, and for one that is away.

    The others of its threads stay free for the other services.
    """

    silent: int
    waiting: int

    @classmethod
    def of_threads(cls, threads: int) -> "Bounds":
        """A half, and a quarter, of the threads."""
        return cls(silent=max(1, threads // 2), waiting=max(1, threads // 4))


class Replica:
    """One address of a service, with its idle connections. Threads share it.

    ``host`` is the configured name with its port, for the header ``Host``; ``address`` is an IP address and a port.
    """

    def __init__(self, host: str, address: tuple[str, int]) -> None:
        self.host = host
        self.address = address
        self.outstanding = 0
        self.failures = 0  # In a row.
        self.ejections = 0  # With no answer in between.
        self.ejected_until: float | None = None
        self.draining_until = 0.0
        self._idle: deque[tuple[ServiceConnection, float]] = deque()
        self._is_removed = False

    def take_idle(self) -> ServiceConnection | None:
        """Return the idle connection that was used last and is still open, or None.

        A connection with bytes to read is closed: they belong to no request.
        """
        while self._idle:
            try:
                connection, since = self._idle.pop()
            except IndexError:
                return None  # Another thread took it.
            if time.monotonic() - since < _IDLE_SECONDS and connection.is_idle:
                return connection
            connection.close()
        return None

    def open_connection(self, *, connect_seconds: float, read_seconds: float) -> ServiceConnection:
        """Open a new connection; `OSError` passes through."""
        return ServiceConnection(*self.address, connect_seconds=connect_seconds, read_seconds=read_seconds)

    def put_back(self, connection: ServiceConnection) -> None:
        """Keep a connection whose answer was read to the end."""
        if self._is_removed or len(self._idle) >= _MAX_IDLE:
            connection.close()
        else:
            self._idle.append((connection, time.monotonic()))

    def close_idle(self) -> None:
        """Close the idle connections."""
        while self._idle:
            try:
                self._idle.pop()[0].close()
            except IndexError:
                return

    def remove(self) -> None:
        """Keep no connection any more; what is under way goes on."""
        self._is_removed = True
        self.close_idle()


class Replicas:
    """Chooses the replica of each request, and remembers who fails. Threads share it.

    ``on_ejected`` is called, without waiting for anything, whenever a replica is ejected.
    """

    def __init__(
        self, name: str, bounds: Bounds, *, on_ejected: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._bounds = bounds
        self._on_ejected = on_ejected
        self._clock = clock
        self._changed = threading.Condition()
        self._replicas: tuple[Replica, ...] = ()
        self._away_since: float | None = None
        self.waiting = 0  # Requests that wait for a change.
        self._silent = 0  # Requests whose answer has not begun.
        self._answered_at = 0.0
        EJECTED_REPLICAS.labels(name).set(0)

    def set_addresses(self, addresses: Iterable[tuple[str, tuple[str, int]]]) -> None:
        """Take these hosts and addresses for the service's; a replica that is known already keeps its state."""
        with self._changed:
            known = {(replica.host, replica.address): replica for replica in self._replicas}
            named = dict.fromkeys(addresses)
            self._replicas = tuple(known.get(key) or Replica(*key) for key in named)
            self._note_change()
        for key in known.keys() - named.keys():
            known[key].remove()

    def acquire(self, avoided: Collection[Replica] = (), *, until: float = float("inf")) -> Replica:
        """Return the less busy of two random replicas; `release` must follow.

        Replicas that drain, and then those that are avoided, come last. If all are ejected since a moment ago, or many
        requests wait for an answer and nothing comes, this one waits for a change: the service may be restarting.

        Raises:
            DependencyUnavailable: nothing changed before ``until`` (monotonic time), or too many wait already.
        """
        until = min(until, self._clock() + _WAIT_SECONDS)
        with self._changed:
            while not (usable := self._usable()):
                self._wait_for_change(until)
            now = self._clock()
            if not self._silent:
                self._answered_at = now
            replica = usable[0] if len(usable) == 1 else _less_busy(usable, avoided, now)
            replica.outstanding += 1
            self._silent += 1
            return replica

    def _usable(self) -> list[Replica]:
        if self._silent >= self._bounds.silent and self._clock() - self._answered_at > _SILENCE_SECONDS:
            return []
        return [each for each in self._replicas if each.ejected_until is None]

    def release(self, replica: Replica, *, has_answered: bool = True) -> None:
        """Say that a request is over, with the whole of its answer or without any."""
        with self._changed:
            replica.outstanding -= 1
            if not has_answered:
                self._silent -= 1
                self._changed.notify_all()

    def note_answer(self, replica: Replica, *, is_last: bool) -> None:
        """Forget the failures of a replica whose answer begins; ``is_last``: it ends the connection with it."""
        with self._changed:
            self._silent -= 1
            self._answered_at, self._away_since = self._clock(), None
            replica.failures = replica.ejections = 0
            self._changed.notify_all()
        if is_last:
            replica.draining_until = self._clock() + _DRAINING_SECONDS
            replica.close_idle()

    def note_failure(self, replica: Replica, reason: str, *, is_unreachable: bool = False) -> None:
        """Count a failure, and eject the replica if nobody listens there or it fails again and again."""
        with self._changed:
            replica.failures += 1
            is_over = replica.ejected_until is not None or replica not in self._replicas
            if is_over or not (is_unreachable or replica.failures >= _FAILURES_IN_A_ROW):
                return
            seconds = min(_FIRST_EJECTION_SECONDS * 2**replica.ejections, _LONGEST_EJECTION_SECONDS)
            replica.ejections = min(replica.ejections + 1, 10)
            replica.ejected_until = self._clock() + seconds
            self._note_change()
        replica.close_idle()
        log.warning("replica_ejected", upstream=self._name, address=_text(replica), reason=reason)
        self._on_ejected()

    def ejected(self) -> list[Replica]:
        """Return the replicas that are ejected."""
        with self._changed:
            return [each for each in self._replicas if each.ejected_until is not None]

    def restore(self, replica: Replica) -> None:
        """Use an ejected replica again."""
        with self._changed:
            replica.ejected_until, replica.failures, replica.draining_until = None, 0, 0.0
            self._note_change()
        log.info("replica_back", upstream=self._name, address=_text(replica))

    def _note_change(self) -> None:
        EJECTED_REPLICAS.labels(self._name).set(sum(each.ejected_until is not None for each in self._replicas))
        if any(each.ejected_until is None for each in self._replicas):
            self._away_since = None
        self._changed.notify_all()

    def _wait_for_change(self, until: float) -> None:
        now = self._clock()
        if self._away_since is None:
            self._away_since = now
        seconds = min(until, self._away_since + _RESTART_SECONDS) - now
        if seconds <= 0 or self.waiting >= self._bounds.waiting:
            raise DependencyUnavailable(f"{self._name} is away.", retry_after_seconds=_RETRY_AFTER_SECONDS)
        self.waiting += 1
        WAITING_REQUESTS.labels(self._name).set(self.waiting)
        self._changed.wait(seconds)
        self.waiting -= 1
        WAITING_REQUESTS.labels(self._name).set(self.waiting)


def _less_busy(usable: list[Replica], avoided: Collection[Replica], now: float) -> Replica:
    usable = [each for each in usable if each not in avoided] or usable
    usable = [each for each in usable if each.draining_until < now] or usable
    return min(random.sample(usable, min(2, len(usable))), key=lambda each: each.outstanding)


def _text(replica: Replica) -> str:
    return f"{replica.address[0]}:{replica.address[1]}"
