"""The HTTP client for all vendors: a keep-alive pool, time-outs, bounds, and what a failed call means.

urllib3 lacks two things, which the connections below add. It gives each read of a socket the whole time-out anew, so a
server that sends a byte now and then could hold a worker for ever; here an answer has one deadline. And its errors do
not tell a TLS failure while connecting, when nothing was sent, from one while reading, when the text may have gone
out; here a failed connect raises `NotConnected`. On this depends whether a text may be sent again.
"""

import http.client
import io
import json
import logging
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any  # Members of foreign JSON.

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, InvalidHeader

from sms_service.providers.provider import ErrorCodeTable, Outcome, ProviderAnswer

_CONNECT_SECONDS, _ANSWER_SECONDS, _TOTAL_SECONDS = 2.0, 5.0, 8.0
_MOST_BYTES = 64 * 1024
_LONGEST_RETRY_AFTER_SECONDS = 300
_LONGEST_MESSAGE_ID = 64
_STATUSES = frozenset(HTTPStatus)
# Idle connections are probed before a NAT forgets them (many after 60 s), where the system lets us say when.
_KEEP_ALIVE = [
    *HTTPConnection.default_socket_options,
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
        if hasattr(socket, name)
    ),
]


class NotConnected(Exception):
    """No connection was made, so nothing was sent; the message is the name of the cause: DNS, TCP or TLS."""


class AnswerTooLong(HTTPError):
    """An answer is longer than 64 KiB."""


class Unreadable(Exception):
    """An answer has not the vendor's form, so nobody knows what became of the text."""


class _TimedReader(io.RawIOBase):
    """Reads a socket until its present time-out is over, counted over all reads together."""

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
        """Close the socket."""
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


@dataclass(frozen=True)
class VendorReply:
    """What came back: HTTP status, body, and the seconds of ``Retry-After`` (0 to 300, 0 if there is none)."""

    status: int
    body: bytes
    retry_after_seconds: float = 0

    def json_object(self) -> dict[str, Any]:
        """Parse the body.

        Raises:
            Unreadable: an HTTP 3xx or 5xx, whatever its body says, or no JSON object.
        """
        if not (200 <= self.status < 300 or 400 <= self.status < 500):
            raise Unreadable
        try:
            answer = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise Unreadable from error
        if not isinstance(answer, dict):
            raise Unreadable
        return answer


def classify_reply(
    codes: ErrorCodeTable, reply: VendorReply, code: str, *, is_error: bool = True, message_id: str = ""
) -> ProviderAnswer:
    """Make the answer of a document in the vendor's form, as `ErrorCodeTable.classify`.

    Raises:
        Unreadable: it says that the vendor took the text, and HTTP says that it did not.
    """
    answer = codes.classify(code, http_status=reply.status, is_error=is_error, message_id=message_id)
    if answer.outcome is Outcome.ACCEPTED and reply.status >= 300:
        raise Unreadable
    return answer


class VendorHttp:
    """One client per vendor and process; threads share it.

    No redirects, no repetitions, TLS always verified. A call takes 2 s to connect and 5 s for the whole answer at the
    most, 8 s in all; only name resolution has the time-outs of the system's resolver.
    """

    def __init__(self, *, pool_size: int, answer_seconds: float = _ANSWER_SECONDS) -> None:
        # urllib3 warns of malformed headers and writes the URL beside them, which at aliyun holds the code.
        logging.getLogger("urllib3.connection").setLevel(logging.ERROR)
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=answer_seconds, total=_TOTAL_SECONDS)
        self._pools = urllib3.PoolManager(
            1,
            cert_reqs="CERT_REQUIRED",
            retries=False,
            block=False,
            maxsize=pool_size,
            timeout=timeout,
            socket_options=_KEEP_ALIVE,
        )
        self._pools.pool_classes_by_scheme = {"http": _TimedPool, "https": _TimedTlsPool}

    def post(
        self, url: str, *, body: bytes, headers: Mapping[str, str], parse: Callable[[VendorReply], ProviderAnswer]
    ) -> ProviderAnswer:
        """POST once; ``parse`` makes the answer from the reply, and may raise `Unreadable`.

        429 is `REFUSED_BUSY` for all vendors (RFC 6585). For a failure without a code of the vendor, the code is the
        name of Python's error, ``http_<status>`` or ``unreadable``.
        """
        try:
            reply = self._post(url, body, headers)
        except NotConnected as error:
            return ProviderAnswer(Outcome.NOT_SENT, str(error))
        except (HTTPError, OSError) as error:
            return ProviderAnswer(Outcome.UNCERTAIN, type(error).__name__)
        return replace(_parse_reply(reply, parse), retry_after_seconds=reply.retry_after_seconds)

    def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> VendorReply:
        response = self._pools.request(
            "POST", url, body=body, headers=headers, redirect=False, preload_content=False, decode_content=False
        )
        try:
            content = b""
            # Only an empty piece is the end; before it urllib3 does not report that an answer is cut short.
            while piece := response.read(_MOST_BYTES + 1 - len(content)):
                content += piece
                if len(content) > _MOST_BYTES:
                    response.close()
                    raise AnswerTooLong
        finally:
            response.release_conn()
        return VendorReply(response.status, content, _retry_after_seconds(response.headers.get("Retry-After")))

    def close_connections(self) -> None:
        """Close the connections."""
        self._pools.clear()


def _parse_reply(reply: VendorReply, parse: Callable[[VendorReply], ProviderAnswer]) -> ProviderAnswer:
    if reply.status == 429:
        return ProviderAnswer(Outcome.REFUSED_BUSY, http_code(429))
    try:
        return parse(reply)
    except Unreadable:
        code = "unreadable" if 200 <= reply.status < 300 else http_code(reply.status)
        return ProviderAnswer(Outcome.UNCERTAIN, code)


def http_code(status: int) -> str:
    """Name an HTTP status as a provider's code; all unregistered ones have one name."""
    return f"http_{status}" if status in _STATUSES else "http_unknown"


def parse_message_id(value: object) -> str:
    """Return a vendor's message id: printable text of up to 64 characters; else an empty text."""
    text = value.strip() if isinstance(value, str) else ""
    return text if text.isprintable() and len(text) <= _LONGEST_MESSAGE_ID else ""


def _retry_after_seconds(header: str | None) -> float:
    """Parse seconds or a date (RFC 9110 10.2.3); a malformed header counts as absent."""
    try:
        return urllib3.Retry(retry_after_max=_LONGEST_RETRY_AFTER_SECONDS).parse_retry_after(header or "")
    except (InvalidHeader, ValueError, OverflowError):
        return 0
