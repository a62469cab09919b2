"""A small HTTP server on a thread of its own, for the parts that we play: each request is one coroutine call.

It is written on asyncio because a played vendor holds hundreds of requests open and must cost next to nothing.
"""

import asyncio
import contextlib
import socket
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True)
class Request:
    """One request, as it came."""

    path: str
    body: bytes


class HttpStub(ABC):
    """Listens on a port of 127.0.0.1 while the ``with`` block runs; ``shut`` refuses connections until ``open``."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    def __enter__(self):
        self._thread.start()
        self.open()
        return self

    def __exit__(self, *_error: object) -> None:
        self.shut()
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def open(self) -> None:
        """Take connections."""
        self._server = self._run(asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=512))

    def shut(self) -> None:
        """Refuse connections, and break those that are open."""

        async def close() -> None:
            self._server.close()
            for writer in list(self._writers):
                writer.transport.abort()

        self._run(close())

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while not writer.is_closing():
                    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                    await self.answer(Request(head.split()[1], await reader.readexactly(_length(head))), writer)
                    await writer.drain()
        finally:
            self._writers.discard(writer)
            writer.close()

    @abstractmethod
    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Answer one request, with `write_json` or worse."""


def _length(head: str) -> int:
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            return int(value)
    return 0


def response(body: bytes, status: str = "200 OK") -> bytes:
    """Write a whole answer."""
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
