"""One RabbitMQ connection with one channel, on an I/O thread of its own, opened again whenever it breaks.

A connection of pika belongs to one thread and does not survive a fork. So everything here runs on the I/O thread; other
threads use `ChannelThread.call`.
"""

import itertools
import os
import random
import threading
from collections.abc import Callable

import pika
from pika.channel import Channel
from structlog import get_logger

log = get_logger(__name__)
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 5.0
_HEARTBEAT_SECONDS = 10
_TIMEOUT_SECONDS = 2
_CLOSE_SECONDS = 5


def broker_parameters(urls: str, *, timeout_seconds: float) -> list[pika.URLParameters]:
    """Read the addresses of the nodes of one broker, with commas between them."""
    nodes = [pika.URLParameters(url.strip()) for url in urls.split(",")]
    for node in nodes:
        node.socket_timeout = node.stack_timeout = timeout_seconds
    return nodes


class ChannelThread:
    """Keeps a channel open. The thread starts with the first use, so an app may be made before a fork.

    After a loss, and after a node that did not answer, the next node is tried.
    """

    def __init__(
        self, urls: str, *, name: str, on_open: Callable[[Channel], None], on_lost: Callable[[], None]
    ) -> None:
        """``on_open`` is called with each new channel, ``on_lost`` after each loss; both run on the I/O thread."""
        nodes = broker_parameters(urls, timeout_seconds=_TIMEOUT_SECONDS)
        for node in nodes:
            node.heartbeat = _HEARTBEAT_SECONDS
            node.client_properties = {"connection_name": name}
        self._nodes = itertools.cycle(nodes)
        self._name = name
        self._on_open = on_open
        self._on_lost = on_lost
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._process_id = 0
        self._connection: pika.SelectConnection | None = None
        self._pause_seconds = _FIRST_PAUSE_SECONDS
        self.is_blocked = False

    def start(self) -> None:
        """Start the thread, once.

        Raises:
            RuntimeError: it was started before a fork; this process has no such thread.
        """
        with self._lock:
            if self._thread is None:
                self._process_id = os.getpid()
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            elif self._process_id != os.getpid():
                raise RuntimeError("a RabbitMQ connection must be made after the fork")

    def call(self, callback: Callable[[], None]) -> bool:
        """Have the I/O thread run a callback soon; False without a connection. If it is lost before, nothing runs."""
        with self._lock:
            connection = self._connection
            if connection is None or not connection.is_open:
                return False
            connection.ioloop.add_callback_threadsafe(callback)
            return True

    def close(self) -> None:
        """Close the connection after the calls that wait, and end the thread."""
        self._closing.set()
        if self._thread is None or self._process_id != os.getpid():
            return
        self.call(self._close_connection)
        self._thread.join(_CLOSE_SECONDS)

    def _close_connection(self) -> None:
        if self._connection is not None and self._connection.is_open:
            self._connection.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._run_connection()
            except Exception:  # No error of the broker or of pika may end the thread.
                log.exception("rabbitmq_broke", connection=self._name)
            self._on_lost()
            pause = self._pause_seconds * random.uniform(0.5, 1)  # noqa: S311 - spreads reconnects, nothing more
            self._pause_seconds = min(2 * self._pause_seconds, _LONGEST_PAUSE_SECONDS)
            self._closing.wait(pause)

    def _run_connection(self) -> None:
        connection = pika.SelectConnection(
            next(self._nodes),
            on_open_callback=self._opened,
            on_open_error_callback=self._failed,
            on_close_callback=self._failed,
        )
        connection.add_on_connection_blocked_callback(lambda *_: self._set_blocked(True))
        connection.add_on_connection_unblocked_callback(lambda *_: self._set_blocked(False))
        with self._lock:
            self._connection = connection
        try:
            connection.ioloop.start()
        finally:
            with self._lock:  # From now on `call` answers False, so nothing is added to a loop that has ended.
                self._connection = None
            connection.ioloop.close()
            self._set_blocked(False)

    def _set_blocked(self, is_blocked: bool) -> None:
        self.is_blocked = is_blocked

    def _opened(self, connection: pika.SelectConnection) -> None:
        if self._closing.is_set():
            connection.close()
            return
        connection.channel(on_open_callback=self._channel_opened)

    def _channel_opened(self, channel: Channel) -> None:
        channel.add_on_close_callback(self._channel_closed)
        self._on_open(channel)

    def reset_backoff(self) -> None:
        """Begin again with the shortest pause after the next loss; to be called once the channel is usable."""
        self._pause_seconds = _FIRST_PAUSE_SECONDS

    def _channel_closed(self, channel: Channel, reason: Exception) -> None:
        # The broker closes a channel if a queue is missing, for example. We start again with a new connection.
        log.warning("rabbitmq_channel_closed", connection=self._name, reason=str(reason))
        if channel.connection.is_open:
            channel.connection.close()

    def _failed(self, connection: pika.SelectConnection, reason: BaseException) -> None:
        if not self._closing.is_set():
            log.warning("rabbitmq_lost", connection=self._name, reason=repr(reason))
        connection.ioloop.stop()
