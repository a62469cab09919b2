"""The calls to one service: its replicas, retries, time-outs, and responses that are passed on in steps."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from structlog import get_logger

from chassis.errors import DependencyUnavailable, UpstreamTimeout, UpstreamUnavailable, XinjingError
from gateway.metrics import UPSTREAM_ERRORS, UPSTREAM_RETRIES
from gateway.proxy.body import SMALL_BYTES, Body
from gateway.proxy.request import Headers
from gateway.upstreams.connection import ResponseHead, ResponseMalformed, ServiceConnection
from gateway.upstreams.names import ServiceName
from gateway.upstreams.replicas import Bounds, Replica, Replicas
from gateway.upstreams.retries import RetryBudget

log = get_logger(__name__)
_SAFE = frozenset({"GET", "HEAD"})
# A service closes connections that were idle for long, so a request on such a one most likely did nothing there.
_SAFE_ON_REUSED = _SAFE | {"OPTIONS", "PUT", "DELETE"}
_MOST_RETRIES = 2


@dataclass(frozen=True)
class Timeouts:
    """Seconds to connect, seconds of silence, and seconds for the whole body of a response."""

    connect: float
    read: float
    body: float


@dataclass(frozen=True)
class UpstreamRequest:
    """One request to a service; ``target`` is sent byte by byte as it is.

    ``read_seconds``: for how long this one waits for the head of the response, if not as long as all others.
    ``body_seconds``: the same of the whole body; the connection is not used again.
    """

    method: str
    target: str
    headers: Headers
    body: Body
    read_seconds: float | None = None
    body_seconds: float | None = None


class _Unreachable(Exception):
    """There was no connection, so nothing was sent."""


class _ConnectionDied(Exception):
    """The connection ended before the whole head of a response arrived."""

    def __init__(self, *, was_reused: bool) -> None:
        super().__init__()
        self.was_reused = was_reused


@dataclass
class _Tries:
    """How far one request has come: when no retry may begin any more (monotonic time), and who was tried."""

    until: float
    replicas: list[Replica] = field(default_factory=list)
    retries: int = 0


class UpstreamResponse:
    """A service's response: status, headers, and the body as it was sent, still in its content coding."""

    def __init__(
        self,
        connection: ServiceConnection,
        head: ResponseHead,
        *,
        body_seconds: float,
        is_timed: bool,
        failure: Callable[[BaseException], XinjingError],
        on_end: Callable[[ServiceConnection, bool], None],
    ) -> None:
        self.status = head.status
        self.reason = head.reason
        self.headers = head.headers
        # None: only the end of the body tells.
        self.content_length = head.content_length
        self._failure = failure
        # Called once, with the connection and whether it can be used again.
        self._on_end = on_end
        self._connection: ServiceConnection | None = connection
        self._can_reuse = head.has_clear_end and not is_timed
        self._first: bytes | None = None
        self._end = time.monotonic() + body_seconds
        # Between two parts silence counts; with a time for all, each wait ends with it.
        self._body = connection.read_body(head, until=self._end if is_timed else None)

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
            self._end_with(can_reuse=self._can_reuse)
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
        self._end_with(can_reuse=False)

    def _end_with(self, *, can_reuse: bool) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._on_end(connection, can_reuse)


class Upstream:
    """One service behind the gateway, with all its replicas. Threads share it.

    Each of ``addresses`` is like ``http://news-service:8000``, and a name may stand for several replicas.
    ``threads`` is the number of threads of this process, a part of which may wait for this service.
    """

    def __init__(self, name: str, addresses: Sequence[str], *, timeouts: Timeouts, threads: int = 8) -> None:
        self.name = name
        self.timeouts = timeouts
        self.on_ejected: Callable[[], None] = lambda: None
        self.replicas = Replicas(name, Bounds.of_threads(threads), on_ejected=lambda: self.on_ejected())
        self.names = [ServiceName(address, on_change=self._set_addresses) for address in addresses]
        self._budget = RetryBudget()
        self._set_addresses()

    def send_request(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send one request and return the head of its response; the caller reads or closes the rest.

        A replica that takes no connection got nothing, so another one gets the request, whatever it is. What was sent
        is repeated only if it is without body and reads something, and the connection died before an answer; or if it
        is idempotent, and the service had closed the connection while it was idle. Retries have a budget.

        Raises:
            DependencyUnavailable: no connection: the service does not run, so it got nothing. Or it answers nobody.
            UpstreamTimeout: silence for too long.
            UpstreamUnavailable: broken, or a response that is no HTTP.
        """
        self._budget.count_request()
        tries = _Tries(until=time.monotonic() + self._read_seconds(request))
        outcome = "failed"
        try:
            response = self._send_until_answered(request, tries)
            outcome = "answered"
        finally:
            if tries.retries:
                UPSTREAM_RETRIES.labels(self.name, outcome).inc(tries.retries)
        return response

    def refresh_names(self) -> None:
        """Ask the DNS again, because a replica does not answer."""
        for name in self.names:
            name.refresh_soon()

    def close(self) -> None:
        """Close the idle connections, at the end of the process; what is under way goes on."""
        self.replicas.set_addresses(())

    def failure(self, error: BaseException) -> XinjingError:
        """Count a failure and return the error that the client sees."""
        kind = "timeout" if isinstance(error, TimeoutError) else "broken"
        UPSTREAM_ERRORS.labels(self.name, kind).inc()
        log.warning("upstream_failed", upstream=self.name, kind=kind, error=type(error).__name__)
        return UpstreamTimeout() if kind == "timeout" else UpstreamUnavailable()

    def _set_addresses(self) -> None:
        self.replicas.set_addresses((name.host, address) for name in self.names for address in name.addresses)

    def _send_until_answered(self, request: UpstreamRequest, tries: _Tries) -> UpstreamResponse:
        while True:
            replica = self._acquire(tries)
            tries.replicas.append(replica)
            try:
                return self._send_to(replica, request, tries)
            except _Unreachable:
                continue  # It is ejected now, so `acquire` finds another one or gives up.
            except _ConnectionDied as error:
                if not self._may_repeat(request, tries, was_reused=error.was_reused):
                    raise self.failure(error) from error
                tries.retries += 1

    def _acquire(self, tries: _Tries) -> Replica:
        try:
            return self.replicas.acquire(tries.replicas, until=tries.until)
        except DependencyUnavailable:
            UPSTREAM_ERRORS.labels(self.name, "away").inc()
            raise

    def _may_repeat(self, request: UpstreamRequest, tries: _Tries, *, was_reused: bool) -> bool:
        methods = _SAFE_ON_REUSED if was_reused else _SAFE
        if request.method not in methods or not request.body.is_empty:
            return False
        if tries.retries >= _MOST_RETRIES or time.monotonic() >= tries.until:
            return False
        if not self._budget.take_retry():
            UPSTREAM_RETRIES.labels(self.name, "over_budget").inc()
            return False
        return True

    def _send_to(self, replica: Replica, request: UpstreamRequest, tries: _Tries) -> UpstreamResponse:
        try:
            connection, head = self._exchange(replica, request, tries)
        except BaseException:
            self.replicas.release(replica, has_answered=False)
            raise
        self.replicas.note_answer(replica, is_last=head.is_last)

        def end(connection: ServiceConnection, can_reuse: bool) -> None:
            if can_reuse:
                replica.put_back(connection)
            else:
                connection.close()
            self.replicas.release(replica)

        return UpstreamResponse(
            connection,
            head,
            body_seconds=request.body_seconds or self.timeouts.body,
            is_timed=request.body_seconds is not None,
            failure=self.failure,
            on_end=end,
        )

    def _exchange(
        self, replica: Replica, request: UpstreamRequest, tries: _Tries
    ) -> tuple[ServiceConnection, ResponseHead]:
        reused = None if tries.retries else replica.take_idle()  # The next one may have died as well.
        connection = reused or self._connect(replica)
        try:
            _write(connection, replica.host, request)
            until = tries.until if tries.retries else time.monotonic() + self._read_seconds(request)
            return connection, connection.read_head(request.method, until=until)
        except (ResponseMalformed, TimeoutError) as error:
            connection.close()
            self.replicas.note_failure(replica, type(error).__name__)
            raise self.failure(error) from error
        except OSError as error:
            connection.close()
            if reused is None:
                self.replicas.note_failure(replica, type(error).__name__)
            raise _ConnectionDied(was_reused=reused is not None) from error
        except BaseException:
            # The client broke off or sent too much: the service must never see a request that looks complete.
            connection.close()
            raise

    def _connect(self, replica: Replica) -> ServiceConnection:
        try:
            return replica.open_connection(connect_seconds=self.timeouts.connect, read_seconds=self.timeouts.read)
        except OSError as error:
            self.replicas.note_failure(replica, type(error).__name__, is_unreachable=True)
            raise _Unreachable from error

    def _read_seconds(self, request: UpstreamRequest) -> float:
        return request.read_seconds or self.timeouts.read


def _write(connection: ServiceConnection, host: str, request: UpstreamRequest) -> None:
    body = request.body
    try:
        connection.send_request(request.method, request.target, [("Host", host), *request.headers], body)
    except (BrokenPipeError, ConnectionResetError):
        # A service that refuses a body early responds and closes; its response may still be readable.
        if body.length is not None and body.length <= SMALL_BYTES:
            raise
