"""The calls to one service: a pool of connections, time-outs, and responses that are passed on in steps."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from structlog import get_logger

from chassis.errors import DependencyUnavailable, UpstreamTimeout, UpstreamUnavailable, XinjingError
from gateway.metrics import UPSTREAM_ERRORS
from gateway.proxy.body import SMALL_BYTES, Body
from gateway.proxy.request import Headers
from gateway.upstreams.connection import ResponseHead, ResponseMalformed, ServiceConnection

log = get_logger(__name__)
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
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
        self._idle: deque[tuple[ServiceConnection, float]] = deque()

    def take_idle(self) -> ServiceConnection | None:
        """Return an idle connection that is still open, or None.

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

    def open_connection(self) -> ServiceConnection:
        """Open a new connection; `OSError` passes through."""
        return ServiceConnection(
            self._name, self._port, connect_seconds=self._connect_seconds, read_seconds=self._read_seconds
        )

    def put_back(self, connection: ServiceConnection) -> None:
        """Keep a connection whose answer was read to the end."""
        if len(self._idle) >= _MAX_IDLE:
            connection.close()
        else:
            self._idle.append((connection, time.monotonic()))


class UpstreamResponse:
    """A service's response: status, headers, and the body as it was sent, still in its content coding."""

    def __init__(
        self,
        pool: ConnectionPool,
        connection: ServiceConnection,
        head: ResponseHead,
        *,
        body_seconds: float,
        failure: Callable[[BaseException], XinjingError],
    ) -> None:
        self.status = head.status
        self.reason = head.reason
        self.headers = head.headers
        # None: only the end of the body tells.
        self.content_length = head.content_length
        self._pool = pool
        self._failure = failure
        self._connection: ServiceConnection | None = connection
        self._can_reuse = head.has_clear_end
        self._body = connection.read_body(head)
        self._first: bytes | None = None
        self._end = time.monotonic() + body_seconds

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """Return the next bytes as soon as some have arrived.

        Raises:
            UpstreamTimeout, UpstreamUnavailable: the body broke off; what was passed on so far must not look complete.
        """
        if self._first is not None:
            first, self._first = self._first, None
            return first
        if self._connection is None:
            raise StopIteration
        try:
            if time.monotonic() > self._end:
                raise TimeoutError
            return next(self._body)
        except StopIteration:
            self._finish()
            raise
        except (ResponseMalformed, OSError) as error:
            self.close()
            raise self._failure(error) from error

    def await_first(self) -> None:
        """Wait for the first bytes of the body, so that a failure before them is known before the status is passed on.

        Raises:
            UpstreamTimeout, UpstreamUnavailable: as above.
        """
        self._first = next(self, None)

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

    def _finish(self) -> None:
        if not self._can_reuse:
            self.close()
        elif self._connection is not None:
            self._pool.put_back(self._connection)
            self._connection = None


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
        except OSError as error:
            self._count("timeout" if isinstance(error, TimeoutError) else "broken", error)
            raise DependencyUnavailable(f"{self.name} is away.", retry_after_seconds=_RETRY_AFTER_SECONDS) from error
        try:
            return self._exchange(connection, request)
        except _ConnectionDied as error:
            raise self.failure(error) from error

    def failure(self, error: BaseException) -> XinjingError:
        """Count a failure and return the error that the client sees."""
        timed_out = isinstance(error, TimeoutError)
        self._count("timeout" if timed_out else "broken", error)
        return UpstreamTimeout() if timed_out else UpstreamUnavailable()

    def _count(self, kind: str, error: BaseException) -> None:
        UPSTREAM_ERRORS.labels(self.name, kind).inc()
        log.warning("upstream_failed", upstream=self.name, kind=kind, error=type(error).__name__)

    def _exchange(self, connection: ServiceConnection, request: UpstreamRequest) -> UpstreamResponse:
        try:
            self._write(connection, request)
            head = connection.read_head(request.method)
        except (ResponseMalformed, TimeoutError) as error:
            connection.close()
            raise self.failure(error) from error
        except OSError as error:
            connection.close()
            raise _ConnectionDied from error
        except BaseException:
            # The client broke off or sent too much: the service must never see a request that looks complete.
            connection.close()
            raise
        return UpstreamResponse(self.pool, connection, head, body_seconds=self.timeouts.body, failure=self.failure)

    def _write(self, connection: ServiceConnection, request: UpstreamRequest) -> None:
        headers, body = [("Host", self.pool.host), *request.headers], request.body
        try:
            connection.send_request(request.method, request.target, headers, body)
        except (BrokenPipeError, ConnectionResetError):
            # A service that refuses a body early responds and closes; its response may still be readable.
            if body.length is not None and body.length <= SMALL_BYTES:
                raise
