"""The one way to a vendor over HTTP: a keep-alive pool, time-outs, bounds, and what a failed call means."""

import json
import logging
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any  # Members of foreign JSON.

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError, InvalidHeader

from sms_service.providers.outcomes import Outcome, ProviderAnswer
from sms_service.providers.timed_http import NotConnected, TimedPools

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


class Unreadable(Exception):
    """An answer has not the vendor's form, so nobody knows what became of the text."""


class AnswerTooLong(HTTPError):
    """An answer is longer than 64 KiB."""


@dataclass(frozen=True)
class VendorReply:
    """What came back: HTTP status, body, and the seconds of ``Retry-After`` (0 to 300, 0 if there is none)."""

    status: int
    body: bytes
    retry_after_seconds: float = 0

    def json_object(self) -> dict[str, Any]:
        """Read the body.

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


class VendorHttp:
    """One client per vendor and process; threads share it.

    No redirects, no repetitions, TLS always verified. A call takes 2 s to connect and 5 s for the whole answer at the
    most, 8 s in all; name resolution alone keeps the time-outs of the system's resolver.
    """

    def __init__(self, *, pool_size: int, answer_seconds: float = _ANSWER_SECONDS) -> None:
        # urllib3 warns of malformed headers and writes the address beside it, which with aliyun holds the code.
        logging.getLogger("urllib3.connection").setLevel(logging.ERROR)
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=answer_seconds, total=_TOTAL_SECONDS)
        self._pools = TimedPools(maxsize=pool_size, timeout=timeout, socket_options=_KEEP_ALIVE)

    def ask(
        self, url: str, *, body: bytes, headers: Mapping[str, str], read: Callable[[VendorReply], ProviderAnswer]
    ) -> ProviderAnswer:
        """POST once, and have ``read`` say what the reply means; it may raise `Unreadable`.

        429 is `REFUSED_BUSY` for all vendors (RFC 6585). The codes of failures that are not the vendor's word are the
        names of Python's errors, ``http_<status>`` or ``unreadable``.
        """
        try:
            reply = self._post(url, body, headers)
        except NotConnected as error:
            return ProviderAnswer(Outcome.NOT_SENT, str(error))
        except (HTTPError, OSError) as error:
            return ProviderAnswer(Outcome.UNCERTAIN, type(error).__name__)
        return replace(_answer(reply, read), retry_after_seconds=reply.retry_after_seconds)

    def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> VendorReply:
        answer = self._pools.request(
            "POST", url, body=body, headers=headers, redirect=False, preload_content=False, decode_content=False
        )
        try:
            read = b""
            # Only an empty piece is the end; before it urllib3 does not say that an answer is cut short.
            while piece := answer.read(_MOST_BYTES + 1 - len(read)):
                read += piece
                if len(read) > _MOST_BYTES:
                    answer.close()
                    raise AnswerTooLong
        finally:
            answer.release_conn()
        return VendorReply(answer.status, read, _retry_after_seconds(answer.headers.get("Retry-After")))

    def close(self) -> None:
        """Close the connections."""
        self._pools.clear()


def http_code(status: int) -> str:
    """Name an HTTP status as a provider's code; all that nobody registered are one."""
    return f"http_{status}" if status in _STATUSES else "http_unknown"


def as_message_id(value: object) -> str:
    """Take a vendor's message id if it is one: text of up to 64 characters, else nothing."""
    text = value.strip() if isinstance(value, str) else ""
    return text if text.isprintable() and len(text) <= _LONGEST_MESSAGE_ID else ""


def _answer(reply: VendorReply, read: Callable[[VendorReply], ProviderAnswer]) -> ProviderAnswer:
    if reply.status == 429:
        return ProviderAnswer(Outcome.REFUSED_BUSY, http_code(429))
    try:
        return read(reply)
    except Unreadable:
        code = "unreadable" if 200 <= reply.status < 300 else http_code(reply.status)
        return ProviderAnswer(Outcome.UNCERTAIN, code)


def _retry_after_seconds(header: str | None) -> float:
    """Read seconds or a date (RFC 9110 10.2.3); what cannot be read counts as absent."""
    try:
        return urllib3.Retry(retry_after_max=_LONGEST_RETRY_AFTER_SECONDS).parse_retry_after(header or "")
    except (InvalidHeader, ValueError, OverflowError):
        return 0
