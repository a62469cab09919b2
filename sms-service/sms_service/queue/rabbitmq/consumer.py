"""Takes jobs off RabbitMQ; acknowledges after the provider's answer, and only on the channel that delivered."""

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
class _Arrived:
    channel: Channel  # Tells deliveries of a lost channel from those of the current one.
    tag: int
    body: bytes


class RabbitConsumer:
    """Consumes with a small prefetch, as each crash of a worker counts against all that it had prefetched.

    Next attempts go out over a second connection: a broker that blocks publishers still takes acknowledgements.
    """

    def __init__(self, url: str, *, prefetch: int, publisher: RabbitPublisher) -> None:
        self._thread = ChannelThread(url, name="sms-consumer", on_open=self._opened, on_lost=self._lost)
        self._prefetch = prefetch
        self._publisher = publisher
        self._arrived: queue.SimpleQueue[_Arrived] = queue.SimpleQueue()
        self._channel: Channel | None = None
        self._is_stopped = False

    def _opened(self, channel: Channel) -> None:
        def consume(_frame: object) -> None:
            channel.basic_consume(SEND_QUEUE, self._deliver, callback=ready)

        def ready(_frame: object) -> None:
            self._channel = channel
            self._thread.works()

        # The queue was deleted or moved: without a consumer we would wait for ever. A new channel begins a new one.
        channel.add_on_cancel_callback(lambda _frame: channel.close())
        channel.basic_qos(prefetch_count=self._prefetch, callback=consume)

    def _deliver(self, channel: Channel, method: Basic.Deliver, _properties: BasicProperties, body: bytes) -> None:
        self._arrived.put(_Arrived(channel, method.delivery_tag or 0, body))

    def _lost(self) -> None:
        self._channel = None

    def lease(self, *, limit: int, wait_seconds: float) -> list[Lease]:
        """Take jobs, as `JobConsumer.lease`."""
        if self._is_stopped:
            return []
        self._thread.start()
        leases: list[Lease] = []
        end = time.monotonic() + wait_seconds
        while len(leases) < limit:
            try:
                left = 0 if leases else max(0, end - time.monotonic())
                arrived = self._arrived.get(timeout=left) if left else self._arrived.get_nowait()
            except queue.Empty:
                break
            leases += self._open(arrived)
        return leases

    def _open(self, arrived: _Arrived) -> list[Lease]:
        if arrived.channel is not self._channel:
            return []  # The broker delivers it again.
        try:
            return [Lease(SendJob.from_body(arrived.body), arrived)]
        except JobMalformed as error:
            self._bury(arrived, "malformed", detail=str(error))
            return []

    def keep(self, lease: Lease) -> None:
        """Do nothing: the broker sees that the connection lives, as `JobConsumer.keep`."""

    def settle(self, lease: Lease) -> None:
        """Acknowledge a job, as `JobConsumer.settle`."""
        self._answer(lease.receipt, lambda arrived: arrived.channel.basic_ack(arrived.tag))

    def hand_over(self, lease: Lease, job: SendJob, *, delay_seconds: int) -> None:
        """Publish the next attempt to the queue of its delay, then acknowledge, as `JobConsumer.hand_over`."""
        self._publisher.send(job, key=retry_key(delay_seconds))
        self.settle(lease)

    def bury(self, lease: Lease, reason: str) -> None:
        """Reject a job; the broker moves it to the dead ones, as `JobConsumer.bury`."""
        self._bury(lease.receipt, reason, detail=lease.job.id)

    def _bury(self, receipt: object, reason: str, *, detail: str) -> None:
        metrics.DEAD.labels(reason).inc()
        log.warning("job_buried", reason=reason, detail=detail)
        self._answer(receipt, lambda arrived: arrived.channel.basic_reject(arrived.tag, requeue=False))

    def _answer(self, receipt: object, answer: Callable[[_Arrived], None]) -> None:
        if not isinstance(receipt, _Arrived):
            raise TypeError("not a lease of this queue")

        def on_own_channel() -> None:
            # A tag of a lost channel would close the new one (406 unknown delivery tag).
            if receipt.channel is self._channel and receipt.channel.is_open:
                answer(receipt)

        self._thread.call(on_own_channel)

    def is_up(self) -> bool:
        """Say whether the broker delivers to us."""
        self._thread.start()
        return self._channel is not None

    def stop(self) -> None:
        """Take no more jobs, and give back those that nobody has leased, so that other workers need not wait."""
        self._is_stopped = True
        self._thread.call(self._give_back)

    def _give_back(self) -> None:
        if self._channel is None or not self._channel.is_open:
            return
        for tag in self._channel.consumer_tags:
            self._channel.basic_cancel(tag)
        while not self._arrived.empty():
            arrived = self._arrived.get_nowait()
            if arrived.channel is self._channel:
                self._channel.basic_reject(arrived.tag, requeue=True)

    def close(self) -> None:
        """Close both connections, after the acknowledgements that wait."""
        self._thread.close()
        self._publisher.close()
