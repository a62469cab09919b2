"""A steady load of requests at a gateway, as clients with kept connections send it."""

import http.client
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

_CLIENTS = 25
_ANSWER_SECONDS = 30


@dataclass(frozen=True)
class Operation:
    """One request, and the status that answers it."""

    method: str
    path: str
    status: int
    token: str | None = None


@dataclass
class Load:
    """Sends so many requests a second, each operation in turn, while the ``with`` block runs."""

    port: int
    operations: Sequence[Operation]
    per_second: int
    answered: int = 0
    failures: list[str] = field(default_factory=list)
    slowest_seconds: float = 0.0

    def __enter__(self) -> "Load":
        self._stopped = threading.Event()
        self._numbers = count()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=[number]) for number in range(_CLIENTS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, answers: int) -> None:
        """Return when there are so many answers more; fail if they do not come."""
        until, end = self.answered + answers, time.monotonic() + _ANSWER_SECONDS
        while self.answered < until:
            assert time.monotonic() < end, self.failures
            time.sleep(0.02)

    def _run(self, number: int) -> None:
        pause = _CLIENTS / self.per_second
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_ANSWER_SECONDS)
        next_at = time.monotonic() + pause * number / _CLIENTS
        while not self._stopped.wait(max(0.0, next_at - time.monotonic())):
            next_at = max(next_at + pause, time.monotonic() - pause)  # What was missed is not all sent at once.
            self._send(connection, self.operations[next(self._numbers) % len(self.operations)])
        connection.close()

    def _send(self, connection: http.client.HTTPConnection, operation: Operation) -> None:
        begun = time.monotonic()
        headers = {"Content-Type": "application/json"} if operation.method == "POST" else {}
        if operation.token is not None:
            headers["Authorization"] = f"Bearer {operation.token}"
        try:
            connection.request(operation.method, operation.path, b"{}" if operation.method == "POST" else None, headers)
            answer = connection.getresponse()
            body = answer.read()
            failure = None if answer.status == operation.status else f"{answer.status} {body[:300]!r}"
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            failure = repr(error)
        with self._lock:
            self.answered += 1
            self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - begun)
            if failure is not None:
                self.failures.append(f"{operation.method} {operation.path}: {failure}")
