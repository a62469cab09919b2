"""The calls to one service: keep-alive connections, time-outs, and responses that are passed on in steps.

The connections are urllib3's; the pool is ours, because urllib3's own rewrites the request target (it encodes and
upper-cases), hides whether a connection was used before, and keeps unread connections open when a client leaves.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from urllib.parse import urlsplit

from structlog import get_logger
from urllib3 import HTTPHeaderDict
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ReadTimeoutError
from urllib3.response import HTTPResponse
from urllib3.util import SKIP_HEADER

from chassis.errors import DependencyUnavailable, UpstreamTimeout, UpstreamUnavailable, XinjingError
from gateway.metrics import UPSTREAM_ERRORS
from gateway.proxy_request import SMALL_BYTES, Body, Headers

log = get_logger(__name__)
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_STEP_BYTES = 64 * 1024
_IDLE_SECONDS = 30  # Less than the 75 seconds for which the services keep an idle connection.
_RETRY_AFTER_SECONDS = 2  # A service that restarts is back after some seconds.
_MAX_IDLE = 64


@dataclass(frozen=True)
class Timeouts:
    """Seconds to connect, seconds of silence, and seconds for the whole body of a response."""

    connect: float
    read: float
    body: float


@dataclass(frozen=True)
class UpstreamRequest:
    """One request to a service; ``target`` is sent byte by byte as it is."""

    method: str
    target: str
    headers: Headers
    body: Body


class _ConnectionDied(Exception):
    """The connection ended before the whole head of a response arrived."""


class ConnectionPool:
    """The idle connections to one service, the one used last first, so that the others can expire. Threads share it."""

    def __init__(self, address: str, *, connect_seconds: float, read_seconds: float) -> None:
        parts = urlsplit(address)
        self.host = parts.netloc
        self._name, self._port = parts.hostname or "", parts.port or 80
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        self._idle: deque[tuple[HTTPConnection, float]] = deque()

    def take_idle(self) -> HTTPConnection | None:
        """Return an idle connection that is still open, or None.

        A connection with bytes to read is closed: they belong to no request.
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

    def open_connection(self) -> HTTPConnection:
        """Open a new connection; urllib3's errors and `OSError` pass through."""
        connection = HTTPConnection(self._name, self._port, timeout=self._connect_seconds)
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        connection.timeout = self._read_seconds
        return connection

    def put_back(self, connection: HTTPConnection) -> None:
        """Keep a connection whose answer was read to the end."""
        if len(self._idle) >= _MAX_IDLE:
            connection.close()
        elif connection.sock is not None:
            self._idle.append((connection, time.monotonic()))


class UpstreamResponse:
    """A service's response: status, headers, and the body as it was sent, still in its content coding."""

    def __init__(
        self,
        pool: ConnectionPool,
        connection: HTTPConnection,
        response: HTTPResponse,
        *,
        body_seconds: float,
        failure: Callable[[BaseException], XinjingError],
    ) -> None:
        self.status: int = response.status
        self.reason: str = response.reason or ""
        self.headers: Headers = list(response.headers.iteritems())
        # None: only the end of the body tells.
        self.content_length: int | None = response.length_remaining
        self._pool = pool
        self._failure = failure
        self._connection: HTTPConnection | None = connection
        self._response = response
        self._end = time.monotonic() + body_seconds

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """Return the next bytes as soon as some have arrived.

        Raises:
            UpstreamTimeout, UpstreamUnavailable: the body broke off; what was passed on so far must not look complete.
        """
        if self._connection is None:
            raise StopIteration
        try:
            if time.monotonic() > self._end:
                raise TimeoutError
            data = self._response.read1(_STEP_BYTES)
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            self.close()
            raise self._failure(error) from error
        if not data:
            self._finish()
            raise StopIteration
        return data

    def read_whole(self, limit_bytes: int) -> bytes:
        """Read the whole body.

        Raises:
            UpstreamUnavailable: it is longer than the limit, or broke off.
        """
        parts, size = [], 0
        for part in self:
            size += len(part)
            parts.append(part)
            if size > limit_bytes:
                self.close()
                raise UpstreamUnavailable("The service's answer is too long.")
        return b"".join(parts)

    def close(self) -> None:
        """Free the connection; one with unread bytes is closed, so that the service stops sending."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            self._response.close()

    def _finish(self) -> None:
        connection, self._connection = self._connection, None
        self._response.close()
        if connection is not None:
            self._pool.put_back(connection)


class Upstream:
    """One service behind the gateway. Threads share it."""

    def __init__(self, name: str, address: str, *, timeouts: Timeouts) -> None:
        self.name = name
        self.timeouts = timeouts
        self.pool = ConnectionPool(address, connect_seconds=timeouts.connect, read_seconds=timeouts.read)

    def send_request(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send one request and return the head of its response; the caller reads or closes the rest.

        A request is sent a second time only if it is idempotent and without body, and the *reused* connection died
        before an answer: the service closed it while idle.

        Raises:
            DependencyUnavailable: no connection: the service does not run, so it got nothing.
            UpstreamTimeout: silence for too long.
            UpstreamUnavailable: broken, or a response that is no HTTP.
        """
        connection = self.pool.take_idle()
        if connection is not None:
            try:
                return self._exchange(connection, request)
            except _ConnectionDied as error:
                if request.method not in _IDEMPOTENT or not request.body.is_empty:
                    raise self.failure(error) from error
        try:
            connection = self.pool.open_connection()
        except (HTTPError, OSError) as error:
            self._count("timeout" if _is_timeout(error) else "broken", error)
            raise DependencyUnavailable(f"{self.name} is away.", retry_after_seconds=_RETRY_AFTER_SECONDS) from error
        try:
            return self._exchange(connection, request)
        except (_ConnectionDied, HTTPError, OSError) as error:
            raise self.failure(error) from error

    def failure(self, error: BaseException) -> XinjingError:
        """Count a failure and return the error that the client sees."""
        timed_out = _is_timeout(error)
        self._count("timeout" if timed_out else "broken", error)
        return UpstreamTimeout() if timed_out else UpstreamUnavailable()

    def _count(self, kind: str, error: BaseException) -> None:
        UPSTREAM_ERRORS.labels(self.name, kind).inc()
        log.warning("upstream_failed", upstream=self.name, kind=kind, error=type(error).__name__)

    def _exchange(self, connection: HTTPConnection, request: UpstreamRequest) -> UpstreamResponse:
        try:
            self._write(connection, request)
            response = connection.getresponse()
        except TimeoutError as error:
            connection.close()
            raise self.failure(error) from error
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            connection.close()
            raise _ConnectionDied from error
        except BaseException:
            # The client broke off or sent too much: the service must never see a request that looks complete.
            connection.close()
            raise
        upstream_response = UpstreamResponse(
            self.pool,
            connection,
            response,
            body_seconds=self.timeouts.body,
            failure=self.failure,
        )
        if upstream_response.status < 200:
            upstream_response.close()
            raise UpstreamUnavailable("The service gave an interim answer as its last one.")
        return upstream_response

    def _write(self, connection: HTTPConnection, request: UpstreamRequest) -> None:
        headers = HTTPHeaderDict()
        headers.add("Host", self.pool.host)
        for name, value in request.headers:
            headers.add(name, value)
        for name in ("Accept-Encoding", "User-Agent"):
            if name not in headers:
                headers.add(name, SKIP_HEADER)  # A header that the client did not send is not added for it.
        body = request.body
        if body.length is not None and (body.length or request.method in ("POST", "PUT", "PATCH")):
            headers.add("Content-Length", str(body.length))
        try:
            connection.request(
                request.method,
                request.target,
                body=None if body.is_empty else body.chunks,
                headers=headers,
                chunked=body.length is None,
                preload_content=False,
                decode_content=False,
            )
        except (BrokenPipeError, ConnectionResetError):
            # A service that refuses a body early responds and closes; its response may still be readable.
            if body.length is not None and body.length <= SMALL_BYTES:
                raise


def _is_timeout(error: BaseException) -> bool:
    # In urllib3, a refused connection is a time-out too.
    is_one = isinstance(error, TimeoutError | ConnectTimeoutError | ReadTimeoutError)
    return is_one and not isinstance(error, NewConnectionError)
