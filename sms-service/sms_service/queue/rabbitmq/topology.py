"""The exchanges and queues on RabbitMQ, declared in this one place.

They work on RabbitMQ 3.10 to 4.3. Dead-lettering at least once needs quorum queues with ``reject-publish``
(https://www.rabbitmq.com/docs/quorum-queues#dead-lettering). Each delay has a retry queue of its own: messages leave a
queue at its head only, so a longer delay there would hold back the shorter ones behind it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from sms_service.queue.interface import RETRY_DELAYS_SECONDS
from sms_service.queue.rabbitmq.channel import broker_parameters

EXCHANGE, DEAD_EXCHANGE = "sms.x", "sms.dlx"
SEND_QUEUE, SEND_KEY = "sms.send.otp", "send.otp"
DEAD_QUEUE, DEAD_KEY = "sms.dead", "dead"
_CAPACITY = 50_000
_DEAD_KEPT, _DEAD_KEPT_MS = 10_000, 7 * 24 * 3600 * 1000
_MOST_READS = 1_000_000
_TIMEOUT_SECONDS = 5


class TopologyError(Exception):
    """The broker cannot be reached, a queue is missing, or one has other arguments."""


@dataclass(frozen=True)
class _Queue:
    name: str
    exchange: str
    key: str
    arguments: dict[str, str | int] = field(default_factory=dict)


def retry_key(delay_seconds: int) -> str:
    """Name the routing key of a delay."""
    return f"retry.{delay_seconds}s"


def _lossless(dead_exchange: str, dead_key: str) -> dict[str, str | int]:
    return {
        "x-max-length": _CAPACITY,
        "x-overflow": "reject-publish",
        "x-dead-letter-exchange": dead_exchange,
        "x-dead-letter-routing-key": dead_key,
        "x-dead-letter-strategy": "at-least-once",
    }


def declared_queues() -> Iterator[_Queue]:
    """List the queues as they are declared."""
    # Ten deliveries, of which restarts of workers use some: a poison message must not kill workers without end.
    limit: dict[str, str | int] = {"x-delivery-limit": 10}
    yield _Queue(SEND_QUEUE, EXCHANGE, SEND_KEY, limit | _lossless(DEAD_EXCHANGE, DEAD_KEY))
    for seconds in RETRY_DELAYS_SECONDS:
        wait: dict[str, str | int] = {"x-message-ttl": seconds * 1000}
        yield _Queue(f"sms.retry.{seconds}s", EXCHANGE, retry_key(seconds), wait | _lossless(EXCHANGE, SEND_KEY))
    # An operator's command reads the messages and returns them, which RabbitMQ 4 counts as deliveries; its default
    # limit is 20.
    kept: dict[str, str | int] = {
        "x-max-length": _DEAD_KEPT,
        "x-message-ttl": _DEAD_KEPT_MS,
        "x-delivery-limit": _MOST_READS,
    }
    yield _Queue(DEAD_QUEUE, DEAD_EXCHANGE, DEAD_KEY, kept)


def apply_topology(urls: str) -> None:
    """Declare everything; safe to repeat.

    Raises:
        TopologyError: the broker is away, or holds a queue of that name with other arguments.
    """
    with open_channel(urls) as channel:
        for exchange in (EXCHANGE, DEAD_EXCHANGE):
            channel.exchange_declare(exchange, "direct", durable=True)
        for queue in declared_queues():
            channel.queue_declare(queue.name, durable=True, arguments={"x-queue-type": "quorum", **queue.arguments})
            channel.queue_bind(queue.name, queue.exchange, queue.key)


def check_topology(urls: str) -> None:
    """Check that every exchange and queue is there.

    Raises:
        TopologyError: the broker is away, or something is missing.
    """
    with open_channel(urls) as channel:
        for exchange in (EXCHANGE, DEAD_EXCHANGE):
            channel.exchange_declare(exchange, passive=True)
        for queue in declared_queues():
            channel.queue_declare(queue.name, passive=True)


@contextmanager
def open_channel(urls: str) -> Iterator[BlockingChannel]:
    """Open a connection for one command.

    Raises:
        TopologyError: the broker is away, or refuses what is done over the channel.
    """
    nodes = broker_parameters(urls, timeout_seconds=_TIMEOUT_SECONDS)
    for node in nodes:
        node.blocked_connection_timeout = _TIMEOUT_SECONDS
    try:
        connection = pika.BlockingConnection(nodes)
        try:
            yield connection.channel()
        finally:
            if connection.is_open:
                connection.close()
    except (AMQPError, OSError) as error:
        raise TopologyError(f"RabbitMQ: {error or type(error).__name__}") from error
