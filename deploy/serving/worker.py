"""gunicorn's gthread worker, changed so that no client can hold a thread by being slow.

The main thread collects each request, head and body, and a thread gets it when it is complete. What a client does not
read at once is sent by the main thread too. So a client that sends half a head or half a body, or reads nothing, holds
a socket and some memory until its deadline, and never a thread.

Bodies of more than `COLLECTED_BYTES` are not collected; a thread reads them, with a deadline that each byte puts off,
and only a part of the threads do so at once. A response of more than `OUTBOX_BYTES` that its client does not read makes
its thread wait; only half of the threads, and at most 64, wait so at once, and the next slow reader is cut off.

A worker that stops goes on for DRAIN_SECONDS: it takes new connections and answers ``Connection: close``. If the whole
service stops, its ``/readyz`` is 503, so that whoever is in front leaves first. Then nobody listens any more.

gunicorn's own gthread gives a thread to each connection that sent one byte, without any time-out. When it stops, it
leaves those who connect meanwhile in the kernel's queue until their connections are reset.
"""

import errno
import os
import selectors
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any  # gunicorn has no types.

from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

from chassis.errors import DependencyUnavailable, RequestTimeout, XinjingError
from serving.client_socket import OUTBOX_BYTES, SEND_SECONDS, ClientSocket
from serving.messages import Request, Response, Settings, make_environ
from serving.refusals import answer_refusal, refusal_of
from serving.request_parts import HEAD_BYTES, RequestParts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# The environ's key that says that the whole service stops; ``/readyz`` reads it (`chassis.web`).
STOPPING = "xinjing.stopping"
# gunicorn.conf.py makes this file when the service stops, and not at a reload, whose new workers go on.
STOPPING_FILE = "stopping"
HEAD_SECONDS = 10.0
BODY_SECONDS = 15.0
LINGER_SECONDS = 2.0
# Each byte that a client reads of a response buys it time at this rate.
READ_BYTES_PER_SECOND = 10_000
# What a process keeps of half requests and of unread responses; beyond it, the oldest of them is cut off.
HELD_BYTES = 64 * 1024 * 1024
_SMALL_BYTES = 4096
_REST_SECONDS = 0.1
_SWEEP_SECONDS = 1.0


class Connection(TConn):  # type: ignore[misc]
    """One connection, with what its next request has sent so far."""

    def __init__(self, cfg: Any, sock: ClientSocket, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)
        self.data_ready = True  # gunicorn's threads wait for nothing.
        self.parts = RequestParts()
        self.deadline = 0.0  # Monotonic time at which the main thread stops waiting for the client.
        self.on_ready: Callable[[Connection], None]
        self.is_large = False
        self.is_kept = False

    def init(self) -> None:
        """Prepare the parser, and give it what was collected."""
        super().init()
        self.parser.mesg_class = Request
        self.parser.unreader.unread(bytes(self.parts.received))
        self.sock.read_by = time.monotonic() + BODY_SECONDS
        self.parts = RequestParts()


class Worker(ThreadWorker):  # type: ignore[misc]
    """The worker class. ``worker_connections`` bounds the connections: beyond it the oldest idle one is closed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cfg: Any = Settings(self.cfg)
        self._most_connections: int = self.cfg.worker_connections
        self.worker_connections = sys.maxsize
        self._waiting: dict[Connection, None] = {}  # Those in the poller, the oldest first.
        self._swept_at = 0.0
        self._waiting_writers = threading.Semaphore(max(1, min(self.cfg.threads // 2, HELD_BYTES // OUTBOX_BYTES)))
        self._large_left = max(1, self.cfg.threads // 4)
        self._large_waiting: deque[Connection] = deque()
        # For how long a stopping worker goes on; gunicorn has no setting for it.
        self._drain_seconds = float(os.environ.get("DRAIN_SECONDS") or LINGER_SECONDS)
        self._draining_until: float | None = None

    def load_wsgi(self) -> None:
        """Load the app, and tell it of each request whether the service stops."""
        super().load_wsgi()
        app: WSGIApplication = self.wsgi

        def telling(environ: "WSGIEnvironment", start_response: "StartResponse") -> "Iterable[bytes]":
            environ[STOPPING] = not self.alive and _is_service_stopping()
            return app(environ, start_response)

        self.wsgi: WSGIApplication = telling

    def set_accept_enabled(self, enabled: bool) -> None:
        """Begin accepting, or begin to drain: `_end_draining` ends it."""
        if enabled or not self._accepting:
            super().set_accept_enabled(enabled)
            return
        self._draining_until = time.monotonic() + self._drain_seconds
        self.nr_conns += 1  # gunicorn's loop ends when there is no connection any more.

    def _end_draining(self) -> None:
        """Take in those who are in the kernel's queue already, and refuse all others: they can go elsewhere at once."""
        self._draining_until = None
        for listener in self.sockets:
            for _ in range(self.cfg.backlog):
                if not self.accept(listener):
                    break
        super().set_accept_enabled(False)
        for listener in self.sockets:
            listener.close()
        self.nr_conns -= 1
        self._cap_keepalive(time.monotonic() + LINGER_SECONDS)

    def accept(self, listener: socket.socket) -> bool:
        """Accept one connection, and take what it sent already. Answer whether there was one."""
        try:
            accepted, address = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._make_room()
            return False
        conn = Connection(self.cfg, ClientSocket(accepted, self._waiting_writers), address, listener.getsockname())
        self.nr_conns += 1
        if self.nr_conns > self._most_connections and not self._make_room():
            self._close(conn)
            return True
        self._wait_for(conn, selectors.EVENT_READ, self._on_readable, HEAD_SECONDS)
        self._on_readable(conn)
        return True

    def _wait_for(self, conn: Connection, event: int, on_ready: Callable[[Connection], None], seconds: float) -> None:
        conn.deadline, conn.on_ready = time.monotonic() + seconds, on_ready
        self.poller.register(conn.sock, event, partial(self._on_event, conn))
        self._waiting[conn] = None

    def _on_event(self, conn: Connection, _sock: object) -> None:
        if conn in self._waiting:  # Another event of the same round may have ended it.
            conn.on_ready(conn)

    def _stop_waiting(self, conn: Connection) -> None:
        self.poller.unregister(conn.sock)
        del self._waiting[conn]

    def _on_readable(self, conn: Connection) -> None:
        try:
            data = conn.sock.receive_now(HEAD_BYTES)
        except BlockingIOError:
            return
        except OSError:  # The client broke the connection, so nobody waits for an answer.
            conn.parts, data = RequestParts(), b""
        if not data:
            self._on_end(conn)
            return
        parts, state = conn.parts, (bool(conn.parts.received), bool(conn.parts.head_bytes))
        parts.add(data)
        if parts.is_whole:
            self._stop_waiting(conn)
            self._start(conn)
            return
        if state != (True, bool(parts.head_bytes)):  # The head, or the body, has just begun.
            conn.deadline = time.monotonic() + (BODY_SECONDS if parts.head_bytes else HEAD_SECONDS)
        if parts.wants_continue:
            parts.wants_continue = False
            conn.sock.send_now(b"HTTP/1.1 100 Continue\r\n\r\n")
        if len(parts.received) > _SMALL_BYTES and self._held_bytes() > HELD_BYTES:
            self._refuse(next(each for each in self._waiting if each.parts.received), RequestTimeout())

    def _on_end(self, conn: Connection) -> None:
        self._stop_waiting(conn)
        if conn.parts.received:
            self.enqueue_req(conn)  # The parser refuses half a request; the client may still read.
        else:
            self._close(conn)

    def _start(self, conn: Connection) -> None:
        """Give a whole request to a thread, and a large body when it is its turn."""
        if conn.parts.is_large and not self._large_left:
            conn.deadline = time.monotonic() + BODY_SECONDS
            self._large_waiting.append(conn)
            return
        conn.is_large = conn.parts.is_large
        self._large_left -= conn.is_large
        self.enqueue_req(conn)

    def finish_request(self, conn: Connection, fs: "Future[Any]") -> None:
        """Go on with a connection whose thread is done; it may still have bytes to send."""
        conn.is_kept = not fs.cancelled() and fs.exception() is None and bool(fs.result())
        if conn.is_large:
            conn.is_large = False
            self._large_left += 1
            if self._large_waiting:
                self._start(self._large_waiting.popleft())
        if conn.sock.fileno() < 0:
            self.nr_conns -= 1
        elif conn.sock.outbox:
            self._wait_for(conn, selectors.EVENT_WRITE, self._on_writable, SEND_SECONDS)
            if self._held_bytes() > HELD_BYTES:
                self._refuse(next(each for each in self._waiting if each.sock.outbox), RequestTimeout())
        else:
            self._go_on(conn)

    def _on_writable(self, conn: Connection) -> None:
        try:
            sent_bytes = conn.sock.send_now(conn.sock.outbox)
            del conn.sock.outbox[:sent_bytes]
            conn.deadline += sent_bytes / READ_BYTES_PER_SECOND
        except OSError:
            conn.is_kept = False
            conn.sock.outbox.clear()
        if not conn.sock.outbox:
            self._stop_waiting(conn)
            self._go_on(conn)

    def _go_on(self, conn: Connection) -> None:
        if not conn.is_kept:
            self._linger(conn)
            return
        conn.parts.add(conn.parser.unreader.take_buffered())  # The begin of a next request.
        if conn.parts.is_whole:
            self._start(conn)
            return
        may_come_back = self.alive or self._draining_until is not None
        seconds = HEAD_SECONDS if conn.parts.received else self.cfg.keepalive if may_come_back else LINGER_SECONDS
        self._wait_for(conn, selectors.EVENT_READ, self._on_readable, seconds)

    def _linger(self, conn: Connection) -> None:
        """Say the end, and read on for a moment: unread bytes would make the kernel reset what was just sent.

        RFC 9112 9.6. gunicorn does the same in its main thread, which nobody else has for those two seconds.
        """
        conn.parts = RequestParts()
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(conn)
            return
        conn.is_kept = False
        self._wait_for(conn, selectors.EVENT_READ, self._on_leftover, LINGER_SECONDS)

    def _on_leftover(self, conn: Connection) -> None:
        try:
            is_over = not conn.sock.receive_now(HEAD_BYTES)
        except BlockingIOError:
            return
        except OSError:
            is_over = True
        if is_over:
            self._stop_waiting(conn)
            self._close(conn)

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        request, conn.parser.mesg = conn.parser.mesg, None
        if not keepalive or request.body.is_read:
            return keepalive
        # What was collected is here. No thread waits for the rest of a large body that its operation did not read.
        seconds, conn.parser.mesg = _REST_SECONDS if conn.is_large else BODY_SECONDS, request
        try:
            return bool(conn.parser.finish_body(deadline=time.monotonic() + seconds, max_bytes=sys.maxsize))
        except XinjingError:  # The answer is sent; a second one would be taken for that of the next request.
            return False

    def _close(self, conn: Connection) -> None:
        self.nr_conns -= 1
        conn.close()

    def _held_bytes(self) -> int:
        return sum(len(conn.parts.received) + len(conn.sock.outbox) for conn in self._waiting)

    def _refuse(self, conn: Connection, error: XinjingError) -> None:
        """Answer half a request, and end the connection. One that sent nothing, or reads nothing, is just closed."""
        if conn in self._waiting:
            self._stop_waiting(conn)
        if not conn.parts.received or conn.sock.outbox:
            self._close(conn)
            return
        answer_refusal(conn.sock, conn.client, error, request=None, cause=error)
        self._linger(conn)

    def handle_request(self, req: Request, conn: Connection) -> bool:
        """Have the app answer one request, and tell whether the connection goes on.

        Raises:
            StopIteration: the app broke off a response whose begin is sent; the client must see that.
        """
        response = Response(req, conn.sock, conn.cfg)
        if not self.alive:
            response.force_close()
        try:
            body = self.wsgi(make_environ(req, conn.client, conn.server, conn.cfg), response.start_response)
            try:
                for part in body:
                    response.write(part)
                response.close()
            finally:
                if hasattr(body, "close"):
                    body.close()
        except OSError:
            raise
        except (Exception, SystemExit):  # SystemExit: the arbiter ends a worker that does not beat.
            if not response.headers_sent:
                raise
            self.log.exception("Error handling request")
            raise StopIteration from None
        return not response.should_close()

    def handle_error(self, req: Any, client: ClientSocket, addr: Any, exc: Exception) -> None:
        """Answer a request that is no HTTP, is too long, or broke inside gunicorn; the connection ends with it."""
        answer_refusal(client, addr, refusal_of(exc), request=req, cause=exc)

    def _make_room(self) -> bool:
        """Close the oldest connection without a request, or else the oldest half request."""
        idle = next((conn for conn in self._waiting if not conn.parts.received and not conn.sock.outbox), None)
        oldest = idle or next(iter(self._waiting), None)
        if oldest is not None:
            self._stop_waiting(oldest)
            self._close(oldest)
        return oldest is not None

    def murder_keepalived(self, force: bool = False) -> None:
        """Refuse or close what did not come in time; ``force`` closes all."""
        now = time.monotonic()
        if self._draining_until is not None and (self._draining_until <= now or force):
            self._end_draining()
        if now - self._swept_at < _SWEEP_SECONDS and not force:
            return
        self._swept_at = now
        for conn in [conn for conn in self._waiting if conn.deadline <= now or force]:
            self._refuse(conn, RequestTimeout())
        while self._large_waiting and self._large_waiting[0].deadline <= now:
            self._refuse(self._large_waiting.popleft(), DependencyUnavailable(retry_after_seconds=5))

    def murder_pending(self) -> None:
        """Do nothing: `murder_keepalived` looks after all that wait."""

    def _cap_keepalive(self, deadline: float) -> None:
        if self._draining_until is not None:
            return  # gunicorn calls it at the begin of draining, `_end_draining` at the end.
        for conn in self._waiting:
            if not conn.parts.received and not conn.sock.outbox:
                conn.deadline = min(conn.deadline, deadline)


def _is_service_stopping() -> bool:
    return Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR", "/"), STOPPING_FILE).exists()
