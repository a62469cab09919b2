"""How many requests to one service may be sent a second time: retries must not double the load of a failing service."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

_WINDOW_SECONDS = 10
_RETRIES_PER_REQUEST = 0.1
_RETRIES_PER_SECOND = 3  # Beside the share, so that a quiet service has retries too.


@dataclass
class _Second:
    number: int
    requests: int = 0
    retries: int = 0


class RetryBudget:
    """Counts the requests and retries of the last ten seconds. Threads share it.

    The numbers are of the size that Finagle's RetryBudget has (https://twitter.github.io/finagle/guide/Clients.html).
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seconds: deque[_Second] = deque(maxlen=_WINDOW_SECONDS)

    def count_request(self) -> None:
        """Count a request that is sent for the first time."""
        with self._lock:
            self._current().requests += 1

    def take_retry(self) -> bool:
        """Count a retry and say yes, or say no: there were too many."""
        with self._lock:
            current = self._current()
            recent = [each for each in self._seconds if each.number > current.number - _WINDOW_SECONDS]
            share = _RETRIES_PER_REQUEST * sum(each.requests for each in recent)
            if sum(each.retries for each in recent) + 1 > share + _RETRIES_PER_SECOND * _WINDOW_SECONDS:
                return False
            current.retries += 1
            return True

    def _current(self) -> _Second:
        number = int(self._clock())
        if not self._seconds or self._seconds[-1].number != number:
            self._seconds.append(_Second(number))
        return self._seconds[-1]
