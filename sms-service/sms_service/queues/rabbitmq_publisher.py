"""Puts jobs on RabbitMQ: one connection per process, many publishes in flight, each waits no longer than a deadline."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout

from pika import BasicProperties, DeliveryMode
from pika.channel import Channel

from sms_service.jobs import SendJob
from sms_service.queues.job_queue import NotPublished, PublishFailure
from sms_service.queues.rabbitmq_channel import ChannelThread
from sms_service.queues.rabbitmq_confirms import Confirms
from sms_service.queues.rabbitmq_topology import EXCHANGE, SEND_KEY, SEND_QUEUE

_MOST_IN_FLIGHT = 200


class RabbitPublisher:
    """Publishes with confirms. A job that is not confirmed in time may still be enqueued later: abort it."""

    def __init__(self, url: str, *, deadline_seconds: float, job_ttl_seconds: int, name: str = "sms-publisher") -> None:
        self._thread = ChannelThread(url, name=name, on_open=self._opened, on_lost=self._lost)
        self._deadline_seconds = deadline_seconds
        self._job_ttl_ms = job_ttl_seconds * 1000
        self._free = threading.BoundedSemaphore(_MOST_IN_FLIGHT)
        self._settled = threading.Event()  # The first attempt to connect has ended, well or badly.
        self._channel: Channel | None = None
        self._confirms = Confirms()

    def publish(self, job: SendJob) -> None:
        """Put a job on the queue, as `JobPublisher.publish`."""
        self.send(job, key=SEND_KEY, ttl_ms=self._job_ttl_ms)

    def send(self, job: SendJob, *, key: str, ttl_ms: int | None = None) -> None:
        """Publish a job under a routing key and wait for the confirmation.

        Raises:
            NotPublished: as in `publish`.
        """
        if not self._free.acquire(blocking=False):
            raise NotPublished(PublishFailure.BUSY)
        confirmed: Future[None] = Future()
        confirmed.add_done_callback(lambda _: self._free.release())
        try:
            self._check_open()
            if not self._thread.call(self._publishing(job, key, ttl_ms, confirmed)):
                raise NotPublished(PublishFailure.LOST)
            confirmed.result(self._deadline_seconds)
        except FutureTimeout as error:
            raise NotPublished(PublishFailure.TIMEOUT) from error
        finally:
            confirmed.cancel()  # What the I/O thread has not sent by now, it must not send any more.

    def _check_open(self) -> None:
        self._thread.start()
        self._settled.wait(self._deadline_seconds)
        if self._channel is None:
            raise NotPublished(PublishFailure.LOST)
        if self._thread.is_blocked:
            raise NotPublished(PublishFailure.BLOCKED)

    def _publishing(self, job: SendJob, key: str, ttl_ms: int | None, confirmed: "Future[None]") -> Callable[[], None]:
        properties = BasicProperties(
            message_id=job.id,
            type="sms.send.v1",
            content_type="application/json",
            delivery_mode=DeliveryMode.Persistent,
            expiration=None if ttl_ms is None else str(ttl_ms),
            app_id="sms-service",
            correlation_id=job.request_id,
            headers={"attempt": job.attempt},
        )

        def publish() -> None:
            if not confirmed.set_running_or_notify_cancel():
                return
            if self._channel is None:
                confirmed.set_exception(NotPublished(PublishFailure.LOST))
                return
            self._confirms.expect(job.id, confirmed)
            self._channel.basic_publish(EXCHANGE, key, job.to_body().encode(), properties, mandatory=True)

        return publish

    def _opened(self, channel: Channel) -> None:
        def ready(_frame: object) -> None:
            self._channel = channel
            self._thread.works()
            self._settled.set()

        channel.confirm_delivery(self._confirms.confirmed)
        channel.add_on_return_callback(self._confirms.returned)
        channel.queue_declare(SEND_QUEUE, passive=True, callback=ready)  # A missing queue closes the channel.

    def _lost(self) -> None:
        self._channel = None
        self._settled.set()
        self._confirms.lose_all()

    def is_up(self) -> bool:
        """Say whether the channel is open, its queue is there, and the broker takes messages."""
        try:
            self._check_open()
        except NotPublished:
            return False
        return True

    def close(self) -> None:
        """Close the connection."""
        self._thread.close()
