"""Which publishes still wait for the broker's word. The I/O thread alone touches this."""

from concurrent.futures import Future
from dataclasses import dataclass

from pika import BasicProperties
from pika.channel import Channel
from pika.frame import Method
from pika.spec import Basic

from sms_service.queues.job_queue import NotPublished, PublishFailure


@dataclass(frozen=True)
class _Waiting:
    message_id: str
    future: "Future[None]"

    def end(self, failure: PublishFailure | None) -> None:
        """Tell the thread that waits; the first word counts."""
        if self.future.done():
            return
        if failure is None:
            self.future.set_result(None)
        else:
            self.future.set_exception(NotPublished(failure))


class Confirms:
    """The publishes of one channel by delivery tag; tags count from 1 on each channel."""

    def __init__(self) -> None:
        self._waiting: dict[int, _Waiting] = {}
        self._last_tag = 0

    def expect(self, message_id: str, future: "Future[None]") -> None:
        """Note the publish that comes next on the channel."""
        self._last_tag += 1
        self._waiting[self._last_tag] = _Waiting(message_id, future)

    def confirmed(self, frame: "Method[Basic.Ack | Basic.Nack]") -> None:
        """Hear an ack or a nack, of one publish or of all up to a tag."""
        tag = frame.method.delivery_tag
        failure = None if isinstance(frame.method, Basic.Ack) else PublishFailure.REFUSED
        for each in [each for each in self._waiting if each <= tag] if frame.method.multiple else [tag]:
            waiting = self._waiting.pop(each, None)
            if waiting is not None:
                waiting.end(failure)

    def returned(self, _channel: Channel, _method: object, properties: BasicProperties, _body: bytes) -> None:
        """Hear that no queue took a message; the broker says so before it acknowledges."""
        for waiting in self._waiting.values():
            if waiting.message_id == properties.message_id:
                waiting.end(PublishFailure.UNROUTABLE)

    def lose_all(self) -> None:
        """Hear that the channel is gone: nobody knows what became of the rest."""
        lost, self._waiting, self._last_tag = self._waiting, {}, 0
        for waiting in lost.values():
            waiting.end(PublishFailure.LOST)
