"""One HTTP/1.1 connection to a service: writes requests, and reads responses in one way only (RFC 9112).

http.client, below urllib3 and requests, is too lax for a proxy: it takes 103 for the last answer, passes a line feed
inside a header and a blank inside its name, and understands a chunk of ``0x5`` bytes.
"""

import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.proxy.body import Body
from gateway.proxy.request import Headers

_STEP_BYTES = 64 * 1024
_MOST_HEAD_BYTES = 64 * 1024  # Also of interim answers and the last head together, and of a trailer.
_TEXT = r"[\t\x20-\x7e\x80-\xff]*"
_STATUS_LINE = re.compile(rf"HTTP/1\.([0-9]) ([1-9][0-9]{{2}})(?: ({_TEXT}))?\r\n")
_HEADER_LINE = re.compile(rf"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):({_TEXT})\r\n")
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?")


class ResponseMalformed(Exception):
    """The service sent no HTTP/1.1, or something that two programs could read differently."""


@dataclass(frozen=True)
class ResponseHead:
    """``content_length`` is that of the bytes which follow; None: only they tell where they end."""

    status: int
    reason: str
    headers: Headers
    content_length: int | None
    is_chunked: bool
    is_last: bool  # The service closes the connection after this response.

    @property
    def has_clear_end(self) -> bool:
        """Whether the connection can be used again after the body."""
        return not self.is_last and (self.is_chunked or self.content_length is not None)


class ServiceConnection:
    """A connection for one request after another. Every failure is an `OSError` or `ResponseMalformed`."""

    def __init__(self, host: str, port: int, *, connect_seconds: float, read_seconds: float) -> None:
        self._socket = socket.create_connection((host, port), connect_seconds)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(read_seconds)
        self._read_seconds = read_seconds
        self._until: float | None = None
        self._received = bytearray()

    @property
    def is_idle(self) -> bool:
        """Whether it is open, with nothing to read: such bytes would belong to no request."""
        self._socket.settimeout(0)
        try:
            self._socket.recv(1, socket.MSG_PEEK)  # Bytes, or the end.
        except BlockingIOError:
            return not self._received
        except OSError:
            pass
        finally:
            self._socket.settimeout(self._read_seconds)
        return False

    def close(self) -> None:
        """Close the connection; it may be closed already."""
        self._socket.close()

    def send_request(self, method: str, target: str, headers: Headers, body: Body) -> None:
        """Send one request; the body's iterator may raise errors of the client, which pass through."""
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        if body.length is None:
            lines.append("Transfer-Encoding: chunked")
        elif body.length or method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {body.length}")
        text = "\r\n".join([*lines, "", ""])
        if not text.count("\r") == text.count("\n") == len(lines) + 1:
            raise ValueError("A header holds a line end.")
        head = text.encode("latin-1")
        if isinstance(body.chunks, bytes):
            self._socket.sendall(head + body.chunks)
            return
        self._socket.sendall(head)
        for chunk in body.chunks:
            self._socket.sendall(b"%x\r\n%b\r\n" % (len(chunk), chunk) if body.length is None else chunk)
        if body.length is None:
            self._socket.sendall(b"0\r\n\r\n")

    def read_head(self, method: str, *, until: float | None = None) -> ResponseHead:
        """Read the head of the answer to ``method``; interim answers before it are skipped (RFC 9110 15.2).

        ``until``: the monotonic time at which the whole head must be there, however many of its bytes have come.
        """
        self._until = until
        try:
            return self._read_last_head(method)
        finally:
            self._until = None
            if self._socket.gettimeout() != self._read_seconds:
                self._socket.settimeout(self._read_seconds)

    def _read_last_head(self, method: str) -> ResponseHead:
        left = _MOST_HEAD_BYTES
        while True:
            text = self._read_head_text(left)
            status_line = _STATUS_LINE.match(text)
            if status_line is None or status_line[2] == "101":
                raise ResponseMalformed("status line")
            if status_line[2][0] != "1":
                return _read_head(method, status_line, _read_headers(text, status_line.end()))
            _read_headers(text, status_line.end())
            left -= len(text)

    def read_body(self, head: ResponseHead, *, until: float | None = None) -> Iterator[bytes]:
        """Return the body's bytes as soon as some arrive, at most 64 KiB at once.

        ``until``: the monotonic time at which all must be there; the connection is of no use afterwards.
        """
        self._until = until
        if head.is_chunked:
            yield from self._read_chunks()
        elif head.content_length is not None:
            yield from self._read_exactly(head.content_length)
        else:
            while self._received or self._receive():
                yield self._take(_STEP_BYTES)

    def _read_chunks(self) -> Iterator[bytes]:
        while True:
            size_line = _CHUNK_SIZE.fullmatch(self._read_line(_MOST_HEAD_BYTES))
            if size_line is None:
                raise ResponseMalformed("chunk size")
            size = int(size_line[1], 16)
            if not size:
                self._read_trailer()
                return
            yield from self._read_exactly(size)
            if self._read_line(_MOST_HEAD_BYTES):
                raise ResponseMalformed("chunk end")

    def _read_exactly(self, left: int) -> Iterator[bytes]:
        while left:
            if not self._received:
                self._receive_more()
            part = self._take(min(left, _STEP_BYTES))
            left -= len(part)
            yield part

    def _read_head_text(self, most_bytes: int) -> str:
        """Read a head with the empty line at its end; what will never have one is refused at once."""
        received, searched_from = self._received, 0
        while (end := received.find(b"\r\n\r\n", searched_from)) < 0:
            searched_from = max(0, len(received) - 3)
            is_http = b"HTTP/1.".startswith(received[:7]) and received.count(b"\n") == received.count(b"\r\n")
            if len(received) > most_bytes or not is_http:
                raise ResponseMalformed("head")
            self._receive_more()
        if end + 4 > most_bytes:
            raise ResponseMalformed("head")
        return self._take(end + 4).decode("latin-1")

    def _read_trailer(self) -> None:
        left = _MOST_HEAD_BYTES
        while line := self._read_line(left):
            left -= len(line) + 2

    def _read_line(self, most_bytes: int) -> bytes:
        """Read a line without its end. A lone line feed ends no line, and stands in none."""
        searched_from = 0
        while (end := self._received.find(b"\n", searched_from)) < 0:
            searched_from = len(self._received)
            if searched_from > most_bytes:
                break
            self._receive_more()
        line = self._take(end + 1)
        if end > most_bytes or not line.endswith(b"\r\n"):
            raise ResponseMalformed("line")
        return line[:-2]

    def _take(self, size: int) -> bytes:
        taken = bytes(self._received[:size])
        del self._received[:size]
        return taken

    def _receive_more(self) -> None:
        if not self._receive():
            raise ConnectionResetError("The service closed the connection.")

    def _receive(self) -> bool:
        if self._until is not None:
            self._wait_no_longer(self._until - time.monotonic())
        data = self._socket.recv(_STEP_BYTES)
        self._received += data
        return bool(data)

    def _wait_no_longer(self, seconds: float) -> None:
        if seconds <= 0:
            raise TimeoutError
        if seconds < 0.99 * self._read_seconds:  # Each change is a call of the system.
            self._socket.settimeout(seconds)


def _read_headers(head: str, begin: int) -> Headers:
    headers: Headers = []
    while found := _HEADER_LINE.match(head, begin):
        headers.append((found[1], found[2].strip("\t ")))
        begin = found.end()
    if begin != len(head) - 2:  # Something before the empty line is no header.
        raise ResponseMalformed("header")
    return headers


def _read_head(method: str, status_line: re.Match[str], headers: Headers) -> ResponseHead:
    is_http_1_0, status = status_line[1] == "0", int(status_line[2])
    lengths, codings, options = [], [], ""
    for name, value in headers:
        match name.lower():
            case "content-length":
                lengths.append(value)
            case "transfer-encoding":
                codings.append(value)
            case "connection":
                options = f"{options},{value.lower()}"
    _check_framing(lengths, codings, is_http_1_0=is_http_1_0)
    has_body = method != "HEAD" and status not in (204, 304)
    return ResponseHead(
        status=status,
        reason=(status_line[3] or "").strip(),
        headers=headers,
        content_length=0 if not has_body else int(lengths[0]) if lengths else None,
        is_chunked=has_body and bool(codings),
        is_last=is_http_1_0 or "close" in [option.strip() for option in options.split(",")],
    )


def _check_framing(lengths: list[str], codings: list[str], *, is_http_1_0: bool) -> None:
    if len(lengths) > 1 or not all(map(_LENGTH.fullmatch, lengths)):
        raise ResponseMalformed("length")
    if codings and (lengths or is_http_1_0 or [coding.lower() for coding in codings] != ["chunked"]):
        raise ResponseMalformed("framing")
