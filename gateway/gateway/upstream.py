"""The way to one service: keep-alive connections, time-outs, an answer that is read in steps and passed on as it is.

The connections are urllib3's; the pool is ours, because urllib3's own rewrites the request target (it encodes and
upper-cases), hides whether a connection was used before, and keeps unread connections open when a client leaves.
"""

from dataclasses import dataclass
from http.client import HTTPException

from structlog import get_logger
from urllib3 import HTTPHeaderDict
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ReadTimeoutError
from urllib3.util import SKIP_HEADER

from chassis.errors import UpstreamTimeout, UpstreamUnavailable, XinjingError
from gateway.bodies import SMALL_BYTES, Body
from gateway.connections import Connections
from gateway.headers import Headers
from gateway.observation import UPSTREAM_ERRORS
from gateway.upstream_answers import UpstreamAnswer

log = get_logger(__name__)

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


@dataclass(frozen=True)
class Timeouts:
    """Seconds to connect, of silence, and for a whole answer's body."""

    connect: float
    read: float
    body: float


@dataclass(frozen=True)
class Outgoing:
    """One request to a service; ``target`` is sent byte by byte as it is."""

    method: str
    target: str
    headers: Headers
    body: Body


class Upstream:
    """One service. Threads share it."""

    def __init__(self, name: str, address: str, *, timeouts: Timeouts) -> None:
        self.name = name
        self.timeouts = timeouts
        self.connections = Connections(address, connect_seconds=timeouts.connect, read_seconds=timeouts.read)

    def send(self, outgoing: Outgoing) -> UpstreamAnswer:
        """Send one request and return the head of its answer; the caller reads or closes it.

        A request is sent a second time only if it is idempotent and without body, and the *reused* connection died
        before an answer: the service closed it while idle.

        Raises:
            UpstreamTimeout: no connection, or silence for too long.
            UpstreamUnavailable: refused, broken, or an answer that is no HTTP.
        """
        connection = self.connections.reusable()
        if connection is not None:
            try:
                return self._exchange(connection, outgoing)
            except _DiedUnanswered as error:
                if outgoing.method not in _IDEMPOTENT or not outgoing.body.is_empty:
                    raise self.failure(error) from error
        try:
            return self._exchange(self.connections.fresh(), outgoing)
        except (_DiedUnanswered, HTTPError, OSError) as error:
            raise self.failure(error) from error

    def failure(self, error: BaseException) -> XinjingError:
        """Count what went wrong on the way to the service, and choose the error that the client sees."""
        timed_out = isinstance(error, TimeoutError | ConnectTimeoutError | ReadTimeoutError)
        timed_out = timed_out and not isinstance(error, NewConnectionError)  # In urllib3, a refusal is a time-out too.
        kind = "timeout" if timed_out else "broken"
        UPSTREAM_ERRORS.labels(self.name, kind).inc()
        log.warning("upstream_failed", upstream=self.name, kind=kind, error=type(error).__name__)
        return UpstreamTimeout() if timed_out else UpstreamUnavailable()

    def _exchange(self, connection: HTTPConnection, outgoing: Outgoing) -> UpstreamAnswer:
        try:
            self._write(connection, outgoing)
            response = connection.getresponse()
        except TimeoutError as error:
            connection.close()
            raise self.failure(error) from error
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            connection.close()
            raise _DiedUnanswered from error
        except BaseException:
            # The client broke off or sent too much: the service must never see a request that looks complete.
            connection.close()
            raise
        answer = UpstreamAnswer(
            self.connections,
            connection,
            response,
            body_seconds=self.timeouts.body,
            failure=self.failure,
        )
        if answer.status < 200:
            answer.close()
            raise UpstreamUnavailable("The service gave an interim answer as its last one.")
        return answer

    def _write(self, connection: HTTPConnection, outgoing: Outgoing) -> None:
        headers = HTTPHeaderDict()
        headers.add("Host", self.connections.host)
        for name, value in outgoing.headers:
            headers.add(name, value)
        for name in ("Accept-Encoding", "User-Agent"):
            if name not in headers:
                headers.add(name, SKIP_HEADER)  # What the client did not say, we do not say for it.
        body = outgoing.body
        if body.length is not None and (body.length or outgoing.method in ("POST", "PUT", "PATCH")):
            headers.add("Content-Length", str(body.length))
        try:
            connection.request(
                outgoing.method,
                outgoing.target,
                body=None if body.is_empty else body.chunks,
                headers=headers,
                chunked=body.length is None,
                preload_content=False,
                decode_content=False,
            )
        except (BrokenPipeError, ConnectionResetError):
            # A service that refuses a body early answers and closes; its answer may still be readable.
            if body.length is not None and body.length <= SMALL_BYTES:
                raise


class _DiedUnanswered(Exception):
    """The connection ended before a whole head arrived."""
