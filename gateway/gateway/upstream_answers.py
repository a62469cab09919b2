"""A service's answer on its way to the client: read in steps, its bytes untouched, its connection freed in the end."""

import time
from collections.abc import Callable, Iterator
from http.client import HTTPException

from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse

from chassis.errors import UpstreamUnavailable, XinjingError
from gateway.connections import Connections
from gateway.headers import Headers

STEP_BYTES = 64 * 1024


class UpstreamAnswer:
    """Status, headers and the body's bytes of a service's answer, content codings untouched."""

    def __init__(
        self,
        connections: Connections,
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
        self._connections = connections
        self._failure = failure
        self._connection: HTTPConnection | None = connection
        self._response = response
        self._end = time.monotonic() + body_seconds

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """Return the next bytes as soon as some are there.

        Raises:
            UpstreamTimeout, UpstreamUnavailable: the body broke off; what was passed on so far must not look whole.
        """
        if self._connection is None:
            raise StopIteration
        try:
            if time.monotonic() > self._end:
                raise TimeoutError
            data = self._response.read1(STEP_BYTES)
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
            self._connections.give_back(connection)
