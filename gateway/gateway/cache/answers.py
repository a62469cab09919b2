"""What clients get of the cache: stored answers with Age and Cache-Status (RFC 9211), and bodies that are recorded."""

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any  # A WSGI environ holds anything.

from gateway.cache.conditions import RangeNotSatisfiable, headers_of_304, is_not_modified, wanted_part
from gateway.cache.store import Entry
from gateway.proxy.request import Headers
from gateway.proxy.responses import ProxyResponse

_NAME = "xinjing"


class Result(enum.StrEnum):
    """How a read was answered; the label of the metric, and ``cache`` of the request's log line."""

    HIT = "hit"
    STALE = "stale"  # From the store beyond its lifetime.
    MISS = "miss"
    COALESCED = "coalesced"  # From what another request fetched meanwhile.
    REVALIDATED = "revalidated"  # The service said that the stored answer is still the present one.
    BYPASS = "bypass"


def status_line(text: str) -> tuple[str, str]:
    """Write our line of Cache-Status; it stands below those of caches that are nearer to the service."""
    return ("Cache-Status", f"{_NAME}; {text}")


def stored_response(entry: Entry, environ: Mapping[str, Any], *, age: float, status: str) -> ProxyResponse:
    """Answer a GET or HEAD from an entry: whole, as 304, in part, or without its body.

    An answer that the service gave just now has no Age (RFC 9111 5.1).
    """
    headers = [*entry.ready_headers, status_line(status)]
    if age >= 1:
        headers.append(("Age", str(int(age))))
    if is_not_modified(entry, environ):
        return ProxyResponse(304, headers_of_304(headers), [], is_complete=True)
    if environ["REQUEST_METHOD"] == "HEAD":
        return ProxyResponse(entry.status, headers, [], entry.reason, is_complete=True)
    try:
        part = wanted_part(entry, environ)
    except RangeNotSatisfiable:
        return _partial(416, headers_of_304(headers), f"*/{len(entry.body)}", b"")
    if part is None:
        return ProxyResponse(entry.status, headers, [entry.body], entry.reason, is_complete=True)
    span = f"{part.first}-{part.end - 1}/{len(entry.body)}"
    return _partial(206, headers, span, entry.body[part.first : part.end])


def _partial(status: int, headers: Headers, span: str, body: bytes) -> ProxyResponse:
    kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
    own = [("Content-Range", f"bytes {span}"), ("Content-Length", str(len(body)))]
    return ProxyResponse(status, [*kept, *own], [body], is_complete=True)


class RecordedBody:
    """Passes a body on, and hands all of it to ``on_end`` at its end; None: it broke off, or is too long to keep.

    If ``length`` is known, that is before a client has the last bytes, and may ask again.
    """

    def __init__(
        self,
        body: Iterable[bytes],
        *,
        length: int | None,
        most_bytes: int,
        on_end: Callable[[bytes | None], None],
    ) -> None:
        self._body = body
        self._parts = iter(body)
        self._length = length
        self._most_bytes = most_bytes
        self._on_end: Callable[[bytes | None], None] | None = on_end
        self._kept = bytearray()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """Return the next part; errors of the body pass through."""
        try:
            part = next(self._parts)
        except StopIteration:
            self._end(bytes(self._kept))
            raise
        except BaseException:
            self._end(None)
            raise
        if self._on_end is not None:
            self._kept += part
            if len(self._kept) > self._most_bytes:
                self._end(None)
            elif len(self._kept) == self._length:
                self._end(bytes(self._kept))
        return part

    def finish(self) -> None:
        """Read to the end, or until it is known that nothing is kept, and close the body."""
        try:
            while self._on_end is not None:
                next(self, None)
        finally:
            self.close()

    def close(self) -> None:
        """Close the body; what is not at its end is not kept."""
        self._end(None)
        close = getattr(self._body, "close", None)
        if close is not None:
            close()

    def _end(self, body: bytes | None) -> None:
        on_end, self._on_end = self._on_end, None
        self._kept = bytearray()
        if on_end is not None:
            on_end(body)
