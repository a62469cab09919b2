"""Leases jobs from RabbitMQ; acknowledges after the provider's answer, and only on the channel that delivered."""

import queue
import time
from collections.abc import Callable
from dataclasses import dataclass

from pika import BasicProperties
from pika.channel import Channel
from pika.spec import Basic
from structlog import get_logger

from sms_service import metrics
from sms_service.queue.interface import Lease
from sms_service.queue.job import JobMalformed, SendJob
from sms_service.queue.rabbitmq.channel import ChannelThread
from sms_service.queue.rabbitmq.publisher import RabbitPublisher
from sms_service.queue.rabbitmq.topology import SEND_QUEUE, retry_key

log = get_logger(__name__)


@dataclass(frozen=True)
class _Delivery:
    channel: Channel  # Distinguishes the deliveries of a lost channel from those of the current one.
    tag: int
    body: bytes


class RabbitConsumer:
    """Consumes with a small prefetch, because a crash of a worker counts as a delivery of all that it had prefetched.

    Next attempts go out over a second connection: a broker that blocks publishers still takes acknowledgements.
    """

    def __init__(self, url: str, *, prefetch: int, publisher: RabbitPublisher) -> None:
        self._thread = ChannelThread(url, name="sms-consumer", on_open=self._opened, on_lost=self._lost)
        self._prefetch = prefetch
        self._publisher = publisher
        self._deliveries: queue.SimpleQueue[_Delivery] = queue.SimpleQueue()
        self._channel: Channel | None = None
        self._is_stopped = False

    def _opened(self, channel: Channel) -> None:
        def consume(_frame: object) -> None:
            channel.basic_consume(SEND_QUEUE, self._deliver, callback=ready)

        def ready(_frame: object) -> None:
            self._channel = channel
            self._thread.reset_backoff()

        # The broker cancels the consumer when its queue is deleted or moved. A new channel makes a new consumer.
        channel.add_on_cancel_callback(lambda _frame: channel.close())
        channel.basic_qos(prefetch_count=self._prefetch, callback=consume)

    def _deliver(self, channel: Channel, method: Basic.Deliver, _properties: BasicProperties, body: bytes) -> None:
        self._deliveries.put(_Delivery(channel, method.delivery_tag or 0, body))

    def _lost(self) -> None:
        self._channel = None

    def lease(self, *, limit: int, wait_seconds: float) -> list[Lease]:
        """Lease jobs, as `JobConsumer.lease`."""
        if self._is_stopped:
            return []
        self._thread.start()
        leases: list[Lease] = []
        end = time.monotonic() + wait_seconds
        while len(leases) < limit:
            try:
                left = 0 if leases else max(0, end - time.monotonic())
                delivery = self._deliveries.get(timeout=left) if left else self._deliveries.get_nowait()
            except queue.Empty:
                break
            leases += self._lease_delivery(delivery)
        return leases

    def _lease_delivery(self, delivery: _Delivery) -> list[Lease]:
        if delivery.channel is not self._channel:
            return []  # The broker delivers it again.
        try:
            return [Lease(SendJob.from_body(delivery.body), delivery)]
        except JobMalformed as error:
            self._reject(delivery, "malformed", detail=str(error))
            return []

    def extend(self, lease: Lease) -> None:
        """Do nothing: a job is leased as long as the connection lives, as `JobConsumer.extend`."""

    def ack(self, lease: Lease) -> None:
        """Acknowledge a job, as `JobConsumer.ack`."""
        self._answer(lease.delivery_tag, lambda delivery: delivery.channel.basic_ack(delivery.tag))

    def requeue(self, lease: Lease, job: SendJob, *, delay_seconds: int) -> None:
        """Publish the next attempt to the queue of its delay, then acknowledge, as `JobConsumer.requeue`."""
        self._publisher.publish_to(retry_key(delay_seconds), job)
        self.ack(lease)

    def dead_letter(self, lease: Lease, reason: str) -> None:
        """Reject a job; the broker moves it to the dead letters, as `JobConsumer.dead_letter`."""
        self._reject(lease.delivery_tag, reason, detail=lease.job.id)

    def _reject(self, delivery_tag: object, reason: str, *, detail: str) -> None:
        metrics.DEAD.labels(reason).inc()
        log.warning("job_buried", reason=reason, detail=detail)
        self._answer(delivery_tag, lambda delivery: delivery.channel.basic_reject(delivery.tag, requeue=False))

    def _answer(self, delivery: object, answer: Callable[[_Delivery], None]) -> None:
        if not isinstance(delivery, _Delivery):
            raise TypeError("not a lease of this queue")

        def on_own_channel() -> None:
            # A tag of a lost channel would close the new one (406 unknown delivery tag).
            if delivery.channel is self._channel and delivery.channel.is_open:
                answer(delivery)

        self._thread.call(on_own_channel)

    def is_up(self) -> bool:
        """Say whether the broker delivers to this consumer."""
        self._thread.start()
        return self._channel is not None

    def stop(self) -> None:
        """Lease no more jobs, and return the prefetched ones to the broker, so that other workers need not wait."""
        self._is_stopped = True
        self._thread.call(self._return_prefetched)

    def _return_prefetched(self) -> None:
        if self._channel is None or not self._channel.is_open:
            return
        for tag in self._channel.consumer_tags:
            self._channel.basic_cancel(tag)
        while not self._deliveries.empty():
            delivery = self._deliveries.get_nowait()
            if delivery.channel is self._channel:
                self._channel.basic_reject(delivery.tag, requeue=True)

    def close_connections(self) -> None:
        """Close both connections, after the acknowledgements that wait."""
        self._thread.close()
        self._publisher.close_connections()
