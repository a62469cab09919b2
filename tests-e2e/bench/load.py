"""A load on one HTTP server: the same GET on many connections, each with one request at a time."""

import re
import selectors
import socket
import time

_HEAD = re.compile(rb"HTTP/1\.1 200 .*?\r\n\r\n", re.DOTALL)
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
_SILENCE_SECONDS = 30


class _Connection:
    def __init__(self, port: int, request: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self._request = request
        self._received = b""

    def ask(self) -> None:
        """Send the request."""
        self._received = b""
        self.socket.sendall(self._request)

    def read(self) -> bool:
        """Read what came, and tell whether the answer is whole."""
        data = self.socket.recv(65536)
        self._received += data
        head = _HEAD.match(self._received)
        if not data or (head is None and b"\r\n\r\n" in self._received):
            raise RuntimeError(f"no answer: {self._received[:300]!r}")
        if head is None:
            return False
        length = _LENGTH.search(head[0])
        if length is None:
            raise RuntimeError(f"no length: {head[0]!r}")
        return len(self._received) >= head.end() + int(length[1])


def count_answers(port: int, path: str, *, headers: dict[str, str], connections: int, seconds: float) -> int:
    """Ask for so many seconds, and return the number of answers.

    Raises:
        RuntimeError: an answer was not 200, or a connection ended.
    """
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers.items())]
    request = "\r\n".join([*lines, "", ""]).encode()
    done, asking = 0, connections
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            connection = _Connection(port, request)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.ask()
        until = time.monotonic() + seconds
        while asking:
            events = selector.select(_SILENCE_SECONDS)
            if not events:
                raise RuntimeError("no answer for 30 s")
            for key, _ in events:
                if not key.data.read():
                    continue
                done += 1
                if time.monotonic() < until:
                    key.data.ask()
                else:
                    selector.unregister(key.data.socket)
                    key.data.socket.close()
                    asking -= 1
    return done
