"""One HTTP/1.1 connection to a service: writes requests, and reads responses in one way only (RFC 9112).

http.client, below urllib3 and requests, is too lax for a proxy: it takes 103 for the last answer, passes a line feed
inside a header and a blank inside its name, and understands a chunk of ``0x5`` bytes.
"""

import re
import select
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.proxy.body import Body
from gateway.proxy.request import Headers

_STEP_BYTES = 64 * 1024
_MOST_HEAD_BYTES = 64 * 1024  # Also of interim answers and the last head together, and of a trailer.
_STATUS_LINE = re.compile(rb"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?")
_HEADER_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t ]*([\t\x20-\x7e\x80-\xff]*?)[\t ]*")
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
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not self._received and not poll.poll(0)

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
        if any("\r" in line or "\n" in line for line in lines):
            raise ValueError("A header holds a line end.")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
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
            line = self._read_line(left)
            status_line = _STATUS_LINE.fullmatch(line)
            if status_line is None or status_line[2] == b"101":
                raise ResponseMalformed("status line")
            lines = self._read_lines(left - len(line))
            head = _read_head(method, status_line, lines)
            if head.status >= 200:
                return head
            left -= sum(len(each) + 2 for each in (line, *lines, b""))

    def read_body(self, head: ResponseHead) -> Iterator[bytes]:
        """Return the body's bytes as soon as some arrive, at most 64 KiB at once."""
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
                self._read_lines(_MOST_HEAD_BYTES)  # The trailer.
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

    def _read_lines(self, most_bytes: int) -> list[bytes]:
        """Read the lines before an empty one."""
        lines = []
        while line := self._read_line(most_bytes):
            most_bytes -= len(line) + 2
            lines.append(line)
        return lines

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


def _read_head(method: str, status_line: re.Match[bytes], lines: list[bytes]) -> ResponseHead:
    headers: Headers = []
    for line in lines:
        found = _HEADER_LINE.fullmatch(line)
        if found is None:
            raise ResponseMalformed("header")
        headers.append((found[1].decode("latin-1"), found[2].decode("latin-1")))
    is_http_1_0, status = status_line[1] == b"0", int(status_line[2])
    lengths, codings = _values(headers, "content-length"), _values(headers, "transfer-encoding")
    _check_framing(lengths, codings, is_http_1_0=is_http_1_0)
    has_body = method != "HEAD" and status not in (204, 304)
    options = ",".join(_values(headers, "connection")).lower().split(",")
    return ResponseHead(
        status=status,
        reason=(status_line[3] or b"").decode("latin-1").strip(),
        headers=headers,
        content_length=0 if not has_body else int(lengths[0]) if lengths else None,
        is_chunked=has_body and bool(codings),
        is_last=is_http_1_0 or "close" in [option.strip() for option in options],
    )


def _check_framing(lengths: list[str], codings: list[str], *, is_http_1_0: bool) -> None:
    if len(lengths) > 1 or not all(map(_LENGTH.fullmatch, lengths)):
        raise ResponseMalformed("length")
    if codings and (lengths or is_http_1_0 or [coding.lower() for coding in codings] != ["chunked"]):
        raise ResponseMalformed("framing")


def _values(headers: Headers, lower_name: str) -> list[str]:
    return [value for name, value in headers if name.lower() == lower_name]
