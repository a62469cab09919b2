"""What operators see of RabbitMQ, and do there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any  # Headers are an AMQP table.

from pika import BasicProperties, DeliveryMode
from pika.adapters.blocking_connection import BlockingChannel

from sms_service.queue.interface import DeadJob, InspectionFailed, NoSuchDeadJob
from sms_service.queue.rabbitmq.topology import (
    DEAD_QUEUE,
    EXCHANGE,
    SEND_KEY,
    TopologyError,
    declared_queues,
    open_channel,
)

_MOST_READ = 10_000  # As many as the dead queue keeps.


@dataclass(frozen=True)
class RabbitInspection:
    """Shows operators the queues; each call opens and closes a connection of its own."""

    urls: str = field(repr=False)

    def depths(self) -> dict[str, int]:
        """Count the messages, as `QueueInspection.depths`."""
        with self._channel() as channel:
            names = [queue.name for queue in declared_queues()]
            return {name: channel.queue_declare(name, passive=True).method.message_count for name in names}

    def list_dead(self, limit: int) -> list[DeadJob]:
        """Read dead jobs, as `QueueInspection.list_dead`; the broker takes them back when the channel closes."""
        with self._channel() as channel:
            return [dead for dead, _ in _read_dead(channel, limit)]

    def drop_dead(self, dead_id: str) -> None:
        """Delete a dead job, as `QueueInspection.drop_dead`."""
        with self._find_dead(dead_id) as (channel, _, tag):
            channel.basic_ack(tag)

    def replay_dead(self, dead_id: str) -> None:
        """Publish a dead job again with a confirm, then delete it, as `QueueInspection.replay_dead`."""
        with self._find_dead(dead_id) as (channel, dead, tag):
            properties = BasicProperties(
                message_id=dead_id, content_type="application/json", delivery_mode=DeliveryMode.Persistent
            )
            channel.confirm_delivery()
            channel.basic_publish(EXCHANGE, SEND_KEY, dead.body.encode(), properties, mandatory=True)
            channel.basic_ack(tag)

    @contextmanager
    def _find_dead(self, dead_id: str) -> Iterator[tuple[BlockingChannel, DeadJob, int]]:
        with self._channel() as channel:
            for dead, tag in _read_dead(channel, _MOST_READ):
                if dead.id == dead_id:
                    yield channel, dead, tag
                    return
            raise NoSuchDeadJob

    @contextmanager
    def _channel(self) -> Iterator[BlockingChannel]:
        try:
            with open_channel(self.urls) as channel:
                yield channel
        except TopologyError as error:
            raise InspectionFailed(str(error)) from error


def _read_dead(channel: BlockingChannel, limit: int) -> Iterator[tuple[DeadJob, int]]:
    for _ in range(limit):
        method, properties, body = channel.basic_get(DEAD_QUEUE)
        if method is None or body is None:
            return
        reason, died_at = _parse_death(properties)
        yield DeadJob(body.decode("utf-8", "replace"), reason, died_at), method.delivery_tag or 0


def _parse_death(properties: BasicProperties | None) -> tuple[str, datetime | None]:
    # The broker writes a list of deaths, the last one first.
    deaths: Any = ((properties and properties.headers) or {}).get("x-death") or [{}]
    died_at = deaths[0].get("time")
    return str(deaths[0].get("reason", "")), died_at.replace(tzinfo=UTC) if isinstance(died_at, datetime) else None
