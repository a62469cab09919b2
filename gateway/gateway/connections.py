"""The keep-alive connections to one service."""

import time
from collections import deque
from urllib.parse import urlsplit

from urllib3.connection import HTTPConnection

_IDLE_SECONDS = 30  # Less than the 75 seconds for which the services keep an idle connection.
_MAX_IDLE = 64


class Connections:
    """Idle connections, the one used last first, so that the others can grow old. Threads share it."""

    def __init__(self, address: str, *, connect_seconds: float, read_seconds: float) -> None:
        parts = urlsplit(address)
        self.host = parts.netloc
        self._name, self._port = parts.hostname or "", parts.port or 80
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        self._idle: deque[tuple[HTTPConnection, float]] = deque()

    def reusable(self) -> HTTPConnection | None:
        """Return an idle connection that seems alive, or None.

        One with bytes to read is dropped: they answer nothing that was asked.
        """
        while self._idle:
            try:
                connection, since = self._idle.pop()
            except IndexError:
                return None  # Another thread took it.
            if time.monotonic() - since < _IDLE_SECONDS and connection.is_connected:
                return connection
            connection.close()
        return None

    def fresh(self) -> HTTPConnection:
        """Open a new connection; urllib3's errors and `OSError` pass through."""
        connection = HTTPConnection(self._name, self._port, timeout=self._connect_seconds)
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        connection.timeout = self._read_seconds
        return connection

    def give_back(self, connection: HTTPConnection) -> None:
        """Keep a connection whose answer was read to the end."""
        if len(self._idle) >= _MAX_IDLE:
            connection.close()
        elif connection.sock is not None:
            self._idle.append((connection, time.monotonic()))
