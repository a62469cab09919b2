"""RabbitMQ in its container: what a test may do to it, and a look into its queues."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from sms_service.queue.rabbitmq.topology import DEAD_QUEUE, SEND_QUEUE, apply_topology, declared_queues

_ROOT = Path(__file__).parents[2]
_FILE = "deploy/test-servers.compose.yml"
_SERVERS = ("docker", "compose", "-p", "xinjing-servers", "-f", _FILE)
_VHOST = "faults"
_BACK_SECONDS = 60
_START_SECONDS = 300  # Its image may have to be fetched first.


def run(*command: str, seconds: float = 60) -> str:
    """Run a command, and return what it printed."""
    return subprocess.run(command, cwd=_ROOT, check=True, capture_output=True, text=True, timeout=seconds).stdout


def has_docker() -> bool:
    """Say whether Docker runs here."""
    try:
        run("docker", "info")
    except (OSError, subprocess.SubprocessError):
        return False
    return True


class Broker:
    """The broker at an address, with a virtual host for us alone.

    Its container is the given one, or the one that TEST_BROKER_CONTAINER names, or else the one of
    ``deploy/test-servers.compose.yml``.
    """

    def __init__(self, url: str, *, container: str | None = None) -> None:
        given = urlsplit(url)
        named = container or os.environ.get("TEST_BROKER_CONTAINER")
        self._container = named or run(*_SERVERS, "ps", "-q", "rabbitmq").strip()
        if not self._container:
            raise RuntimeError(
                "The container of RabbitMQ is unknown: set TEST_BROKER_CONTAINER or unset TEST_AMQP_URL."
            )
        self.url = given._replace(path=f"/{_VHOST}").geturl()
        self.url_with_wrong_password = self.url.replace(f":{given.password}@", ":not-the-password@")
        self._user = given.username or ""
        self._has_vhost = False

    def control(self, *words: str) -> None:
        """Call ``rabbitmqctl``."""
        run("docker", "exec", self._container, "rabbitmqctl", "-q", *words)

    def reset(self) -> None:
        """Have empty queues, as declared."""
        if not self._has_vhost:
            self.control("add_vhost", _VHOST)
            self.control("set_permissions", "-p", _VHOST, self._user, ".*", ".*", ".*")
            self._has_vhost = True
        with self.channel() as channel:
            for queue in declared_queues():
                channel.queue_delete(queue.name)
        apply_topology(self.url)

    def delete_send_queue(self) -> None:
        """Lose the queue that workers consume."""
        with self.channel() as channel:
            channel.queue_delete(SEND_QUEUE)

    def waiting(self) -> int:
        """Count the messages that no worker holds yet, retries included."""
        with self.channel() as channel:
            names = [queue.name for queue in declared_queues() if queue.name != DEAD_QUEUE]
            return sum(channel.queue_declare(name, passive=True).method.message_count for name in names)

    def dead(self) -> int:
        """Count the dead letters."""
        with self.channel() as channel:
            return int(channel.queue_declare(DEAD_QUEUE, passive=True).method.message_count)

    def peek(self) -> list[str]:
        """Read every message of every queue, properties and all, and put them back."""
        with self.channel() as channel:
            found = []
            for queue in declared_queues():
                while (got := channel.basic_get(queue.name))[0] is not None:
                    found.append(repr(got))
            return found  # Closing the connection puts them back.

    @contextmanager
    def channel(self) -> Iterator[BlockingChannel]:
        """Open a channel of our own."""
        connection = pika.BlockingConnection(pika.URLParameters(self.url))
        try:
            yield connection.channel()
        finally:
            connection.close()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop every process of the broker in its tracks, as SIGSTOP does; they go on at the end."""
        run("docker", "pause", self._container)
        try:
            yield
        finally:
            run("docker", "unpause", self._container)

    def kill(self) -> None:
        """End it with SIGKILL."""
        run("docker", "kill", self._container)

    def start(self) -> None:
        """Start it again, and wait until it serves."""
        run("docker", "start", self._container)
        end = time.monotonic() + _BACK_SECONDS
        while True:
            try:
                with self.channel():
                    return
            except (AMQPError, OSError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.3)


@contextmanager
def running_broker() -> Iterator[Broker]:
    """Start RabbitMQ for the caller alone, beside any other, on a port that Docker picks; at the end it is removed."""
    compose = ("docker", "compose", "-p", f"xinjing-broker-{os.getpid()}", "-f", _FILE)
    options = ("--detach", "--rm", "--quiet-pull", "--publish", "127.0.0.1::5672")
    try:
        container = run(*compose, "run", *options, "rabbitmq", seconds=_START_SECONDS).strip()
        _wait_until_healthy(container)
        port = run("docker", "port", container, "5672").strip().rpartition(":")[2]
        yield Broker(f"amqp://test:test@127.0.0.1:{port}/%2F", container=container)
    finally:
        run(*compose, "down", "-v", "--remove-orphans", "--timeout", "2")  # Started by `run`, it is an orphan.


def _wait_until_healthy(container: str) -> None:
    end = time.monotonic() + _BACK_SECONDS
    while run("docker", "inspect", "-f", "{{.State.Health.Status}}", container).strip() != "healthy":
        assert time.monotonic() < end, run("docker", "logs", "--tail", "50", container)
        time.sleep(0.5)
