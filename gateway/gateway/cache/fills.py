"""One fetch for many waiting requests, and the threads that refresh what was answered stale."""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from structlog import get_logger

from gateway.cache.store import Key

log = get_logger(__name__)
# A request that waited so long for another one's fetch asks for itself.
WAIT_SECONDS = 5.0
# For so long requests do not wait for an answer that was of no use for others the last time.
_UNSHARED_SECONDS = 60.0
# For so long after an error, a stale answer that may stand in for it does so at once.
_FAILING_SECONDS = 2.0
_MOST_REMEMBERED = 4096
_THREADS = 2
_MOST_WAITING = 64
_STOP_SECONDS = 2.0

Variant = tuple[str, ...]


@dataclass(eq=False)
class Fill:
    """One fetch under way whose answer may be stored."""

    key: Key
    variant: Variant
    is_outdated: bool = False  # A change came in between: what it fetches may be of before.
    done: threading.Event = field(default_factory=threading.Event)


class Fills:
    """The fetches under way, and what is known of addresses beside their entries. Threads share it."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: set[Fill] = set()
        self._joinable: dict[tuple[Key, Variant], Fill] = {}
        self._unshared: dict[int, float] = {}  # The end, by the hash of the address.
        self._failing: dict[int, float] = {}

    def begin(self, key: Key, variant: Variant = ()) -> Fill:
        """Begin a fetch that nobody waits for; the caller must end it."""
        own = Fill(key, variant)
        with self._lock:
            self._open.add(own)
        return own

    def join(self, key: Key, variant: Variant) -> tuple[Fill, bool]:
        """Return the fetch for a variant, and whether it is the caller's own: then the caller must end it."""
        with self._lock:
            running = self._joinable.get((key, variant))
            if running is not None:
                return running, False
            own = self._joinable[key, variant] = Fill(key, variant)
            self._open.add(own)
            return own, True

    def end(self, fill: Fill) -> None:
        """End a fetch, so that the waiting requests go on; to end it once more changes nothing."""
        with self._lock:
            self._forget(fill)
            self._open.discard(fill)
        fill.done.set()

    def outdate(self, key: Key) -> None:
        """Let nothing be stored of the fetches for an address that have begun, and nobody join them."""
        with self._lock:
            for fill in [fill for fill in self._open if fill.key == key]:
                fill.is_outdated = True
                self._forget(fill)

    def _forget(self, fill: Fill) -> None:
        if self._joinable.get((fill.key, fill.variant)) is fill:
            del self._joinable[fill.key, fill.variant]

    def is_unshared(self, key: Key) -> bool:
        """Say whether the last answer was of no use for others; requests then do not wait for each other."""
        return self._unshared.get(hash(key), 0.0) > self._clock()

    def note_answer(self, key: Key, *, is_shared: bool) -> None:
        """Remember whether an answer is one for others too."""
        if is_shared:
            self._unshared.pop(hash(key), None)
        else:
            self._remember(self._unshared, key, _UNSHARED_SECONDS)

    def is_failing(self, key: Key) -> bool:
        """Say whether the service has just failed to answer."""
        return self._failing.get(hash(key), 0.0) > self._clock()

    def note_failure(self, key: Key) -> None:
        """Remember that the service failed to answer."""
        self._remember(self._failing, key, _FAILING_SECONDS)

    def _remember(self, memory: dict[int, float], key: Key, seconds: float) -> None:
        if len(memory) >= _MOST_REMEMBERED:
            memory.clear()
        memory[hash(key)] = self._clock() + seconds


class RefreshPool:
    """Two threads that refresh stale answers; the queue before them is bounded. They never hold up the end."""

    def __init__(self) -> None:
        self._jobs: queue.Queue[Callable[[], None] | None] = queue.Queue(_MOST_WAITING)
        self._threads = [threading.Thread(target=self._run, name="refresh", daemon=True) for _ in range(_THREADS)]
        self._is_stopped = False

    def start(self) -> None:
        """Start the threads, in the process that uses them."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads; one that still waits for a service is left behind after two seconds."""
        self._is_stopped = True
        end = time.monotonic() + _STOP_SECONDS
        for _ in self._threads:
            self.submit(None)
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def submit(self, job: Callable[[], None] | None) -> bool:
        """Hand a job over; False: too many wait already."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            return False
        return True

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None and not self._is_stopped:
            try:
                job()
            except Exception as error:
                log.warning("refresh_failed", exc_info=error)
