"""Puts jobs on RabbitMQ: one connection per process, many publishes in flight, each waits no longer than a deadline."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass

from pika import BasicProperties, DeliveryMode
from pika.channel import Channel
from pika.frame import Method
from pika.spec import Basic

from sms_service.queue.interface import NotPublished, PublishFailure
from sms_service.queue.job import SendJob
from sms_service.queue.rabbitmq.channel import ChannelThread
from sms_service.queue.rabbitmq.topology import EXCHANGE, SEND_KEY, SEND_QUEUE

_MOST_IN_FLIGHT = 200


class RabbitPublisher:
    """Publishes with confirms. A job that is not confirmed in time may still be enqueued later: abort it."""

    def __init__(self, url: str, *, deadline_seconds: float, job_ttl_seconds: int, name: str = "sms-publisher") -> None:
        self._thread = ChannelThread(url, name=name, on_open=self._opened, on_lost=self._lost)
        self._deadline_seconds = deadline_seconds
        self._job_ttl_ms = job_ttl_seconds * 1000
        self._free_slots = threading.BoundedSemaphore(_MOST_IN_FLIGHT)
        self._tried_to_connect = threading.Event()  # The first attempt has ended, well or badly.
        self._channel: Channel | None = None
        self._confirms = Confirms()

    def publish(self, job: SendJob) -> None:
        """Put a job on the queue, as `JobPublisher.publish`."""
        self.publish_to(SEND_KEY, job, ttl_ms=self._job_ttl_ms)

    def publish_to(self, routing_key: str, job: SendJob, *, ttl_ms: int | None = None) -> None:
        """Publish a job under a routing key and wait for the confirmation.

        Raises:
            NotPublished: as in `publish`.
        """
        if not self._free_slots.acquire(blocking=False):
            raise NotPublished(PublishFailure.BUSY)
        confirmed: Future[None] = Future()
        confirmed.add_done_callback(lambda _: self._free_slots.release())
        try:
            self._check_open()
            if not self._thread.call(self._make_publish(job, routing_key, ttl_ms, confirmed)):
                raise NotPublished(PublishFailure.LOST)
            confirmed.result(self._deadline_seconds)
        except FutureTimeout as error:
            raise NotPublished(PublishFailure.TIMEOUT) from error
        finally:
            confirmed.cancel()  # If the I/O thread has not sent the job by now, it must not do so any more.

    def _check_open(self) -> None:
        self._thread.start()
        self._tried_to_connect.wait(self._deadline_seconds)
        if self._channel is None:
            raise NotPublished(PublishFailure.LOST)
        if self._thread.is_blocked:
            raise NotPublished(PublishFailure.BLOCKED)

    def _make_publish(
        self, job: SendJob, routing_key: str, ttl_ms: int | None, confirmed: "Future[None]"
    ) -> Callable[[], None]:
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
            self._channel.basic_publish(EXCHANGE, routing_key, job.to_body().encode(), properties, mandatory=True)

        return publish

    def _opened(self, channel: Channel) -> None:
        def ready(_frame: object) -> None:
            self._channel = channel
            self._thread.reset_backoff()
            self._tried_to_connect.set()

        channel.confirm_delivery(self._confirms.on_confirm)
        channel.add_on_return_callback(self._confirms.on_return)
        channel.queue_declare(SEND_QUEUE, passive=True, callback=ready)  # A missing queue closes the channel.

    def _lost(self) -> None:
        self._channel = None
        self._tried_to_connect.set()
        self._confirms.fail_all()

    def is_up(self) -> bool:
        """Say whether the channel is open, its queue is there, and the broker takes messages."""
        try:
            self._check_open()
        except NotPublished:
            return False
        return True

    def close_connections(self) -> None:
        """Close the connection."""
        self._thread.close()


@dataclass(frozen=True)
class _Waiting:
    message_id: str
    future: "Future[None]"

    def end(self, failure: PublishFailure | None) -> None:
        """Wake the thread that waits; only the first result counts."""
        if self.future.done():
            return
        if failure is None:
            self.future.set_result(None)
        else:
            self.future.set_exception(NotPublished(failure))


class Confirms:
    """The publishes of one channel that wait for a confirm, by delivery tag; tags count from 1 on each channel.

    Only the I/O thread uses it.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, _Waiting] = {}
        self._last_tag = 0

    def expect(self, message_id: str, future: "Future[None]") -> None:
        """Note the next publish of the channel."""
        self._last_tag += 1
        self._waiting[self._last_tag] = _Waiting(message_id, future)

    def on_confirm(self, frame: "Method[Basic.Ack | Basic.Nack]") -> None:
        """End one publish after its ack or nack, or all up to a tag."""
        last_tag = frame.method.delivery_tag
        failure = None if isinstance(frame.method, Basic.Ack) else PublishFailure.REFUSED
        for tag in [tag for tag in self._waiting if tag <= last_tag] if frame.method.multiple else [last_tag]:
            waiting = self._waiting.pop(tag, None)
            if waiting is not None:
                waiting.end(failure)

    def on_return(self, _channel: Channel, _method: object, properties: BasicProperties, _body: bytes) -> None:
        """End a publish that no queue took; the broker returns it before it sends the ack."""
        for waiting in self._waiting.values():
            if waiting.message_id == properties.message_id:
                waiting.end(PublishFailure.UNROUTABLE)

    def fail_all(self) -> None:
        """End the rest after the channel is lost: nobody knows whether the broker has those jobs."""
        lost, self._waiting, self._last_tag = self._waiting, {}, 0
        for waiting in lost.values():
            waiting.end(PublishFailure.LOST)
