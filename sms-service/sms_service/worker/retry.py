"""How a worker bears that Redis or the queue is away: it repeats the one call in hand, and takes on nothing more."""

import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

from chassis.errors import DependencyUnavailable
from sms_service.queue.interface import NotPublished

T = TypeVar("T")
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 5.0


class Insist(Protocol):
    """Repeats a call on Redis or the queue until it works, or gives up by raising."""

    def __call__(self, call: Callable[[], T]) -> T:
        """Return what the call returns."""


def once(call: Callable[[], T]) -> T:
    """Call once; the `Insist` that does not."""
    return call()


class Insistence:
    """Repeats a call until the worker stops. As all threads wait here, the queue keeps the other jobs."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping

    def __call__(self, call: Callable[[], T]) -> T:
        """Return what the call returns.

        Raises:
            DependencyUnavailable: the worker stops before Redis is back.
            NotPublished: the worker stops before the queue takes jobs again.
        """
        pause_seconds = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return call()
            except (DependencyUnavailable, NotPublished):
                if self._stopping.wait(pause_seconds):
                    raise
                pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
