"""urllib3's connections with two additions: an answer has one deadline, and a failed connect says so.

urllib3 gives each read of a socket the whole read time-out anew, so a server that sends a byte now and then could hold
a worker for ever. And its errors do not tell a TLS failure while connecting (nothing was sent) from one while reading
(the text may have gone out), on which the decision hangs whether somebody may be texted again.
"""

import http.client
import io
import socket
import time
from collections.abc import Sequence

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

SocketOption = tuple[int, int, int]


class NotConnected(Exception):
    """No connection came about, so nothing was sent; the message is the name of the cause: DNS, TCP or TLS."""


class _TimedReader(io.RawIOBase):
    """Reads a socket until the time-out that the socket has now is over, counted over all reads together."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        self._ends_at = time.monotonic() + (sock.gettimeout() or 0)

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int | None:  # type: ignore[override]  # Any buffer.
        """Read what has come, as `io.RawIOBase.readinto`."""
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer takes too long")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Let go of the socket."""
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(
        self, sock: socket.socket, debuglevel: int = 0, method: str | None = None, url: str | None = None
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock))


class _TimedConnection(HTTPConnection):
    response_class = _TimedResponse

    def connect(self) -> None:
        try:
            super().connect()
        except (OSError, HTTPError, ValueError) as error:
            raise NotConnected(type(error).__name__) from error


class _TimedTlsConnection(HTTPSConnection):
    response_class = _TimedResponse

    def connect(self) -> None:
        try:
            super().connect()
        except (OSError, HTTPError, ValueError) as error:
            raise NotConnected(type(error).__name__) from error


class _TimedPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _TimedConnection


class _TimedTlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TimedTlsConnection


class TimedPools(urllib3.PoolManager):
    """A `urllib3.PoolManager` of such connections; its calls raise `NotConnected` beside urllib3's own errors."""

    def __init__(self, *, maxsize: int, timeout: urllib3.Timeout, socket_options: Sequence[SocketOption]) -> None:
        super().__init__(
            1,
            cert_reqs="CERT_REQUIRED",
            retries=False,
            block=False,
            maxsize=maxsize,
            timeout=timeout,
            socket_options=socket_options,
        )
        self.pool_classes_by_scheme = {"http": _TimedPool, "https": _TimedTlsPool}
