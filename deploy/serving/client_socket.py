"""A client's socket, at which no thread waits for ever."""

import select
import socket
import threading
import time
from typing import Any  # Buffers.

# Beside its deadline, each byte of a body buys time at this rate: what a slow phone uploads.
BODY_BYTES_PER_SECOND = 100_000
OUTBOX_BYTES = 1024 * 1024
SEND_SECONDS = 30.0


class ClientSocket(socket.socket):
    """A client's socket, which never blocks: a thread that must wait does so here, and not for ever.

    One thread at a time uses it.
    """

    def __init__(self, accepted: socket.socket, waiting_writers: threading.Semaphore) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        super().settimeout(0)
        self.outbox = bytearray()
        self._held = b""
        self.read_by = 0.0  # Monotonic time.
        self._waiting_writers = waiting_writers

    def settimeout(self, value: float | None) -> None:
        """Let `recv` wait no longer than so many seconds; gunicorn bounds what it reads after a response by this."""
        if value:
            self.read_by = min(self.read_by, time.monotonic() + value)

    def setblocking(self, flag: bool) -> None:
        """Do nothing: gunicorn switches its sockets to and fro."""

    def receive_now(self, size: int) -> bytes:
        """Receive without waiting; `BlockingIOError` if nothing is there, empty at the end."""
        return super().recv(size)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Receive, and wait until the deadline, which each byte puts off.

        Raises:
            TimeoutError: nothing came before the deadline.
        """
        while True:
            try:
                data = super().recv(size, flags)
            except BlockingIOError:
                self._wait(select.POLLIN, self.read_by)
            else:
                self.read_by += len(data) / BODY_BYTES_PER_SECOND
                return data

    def sendall(self, data: Any, _flags: int = 0) -> None:
        """Send what the client's window takes at once, and keep the rest for the main thread.

        Raises:
            TimeoutError: the rest is too much to keep, and the client did not read.
        """
        if self._held:
            data, self._held = b"".join((self._held, data)), b""
        if not data:
            return
        sent = 0 if self.outbox else self.send_now(data)
        if sent < len(data):
            self.outbox += memoryview(data)[sent:]
        if len(self.outbox) > OUTBOX_BYTES:
            self._wait_for_reader()

    def hold(self, data: bytes) -> None:
        """Keep bytes that `sendall` sends with those that follow."""
        self._held += data

    def send_now(self, data: Any) -> int:
        """Send without waiting, and return how many bytes were taken."""
        try:
            return self.send(data)
        except BlockingIOError:
            return 0

    def _wait_for_reader(self) -> None:
        if not self._waiting_writers.acquire(blocking=False):
            raise TimeoutError("too many clients read slowly")
        try:
            until = time.monotonic() + SEND_SECONDS
            while len(self.outbox) > OUTBOX_BYTES // 2:
                self._wait(select.POLLOUT, until)
                del self.outbox[: self.send_now(self.outbox)]
        finally:
            self._waiting_writers.release()

    def _wait(self, event: int, until: float) -> None:
        poll, seconds = select.poll(), until - time.monotonic()
        poll.register(self, event)
        if seconds <= 0 or not poll.poll(seconds * 1000):
            raise TimeoutError("the client is too slow")
