"""A worker with other collaborators than its settings choose: ``python -m stage.wired_worker``.

STAGE_WORKER says which: ``plain`` takes the vendor for one without an idempotency key; ``dies_at_ack`` is killed
between FINISH and the acknowledgement; ``dies_at_requeue`` between FINISH(retry) and the publish of the next attempt.
"""

import os
import signal
import threading
from dataclasses import replace
from datetime import datetime

from chassis.logs import configure_logs
from chassis.redis_client import connect_redis
from chassis.settings import load_settings
from sms_service.providers.provider import OutgoingSms, Provider, ProviderAnswer
from sms_service.queue.factory import make_consumer
from sms_service.queue.interface import JobConsumer, Lease
from sms_service.queue.job import SendJob
from sms_service.settings import Settings
from sms_service.worker.__main__ import run_worker
from sms_service.worker.job_handler import make_job_handler


class _Plain:
    """A provider that says that a repeated send may text twice."""

    def __init__(self, inner: Provider) -> None:
        self._inner = inner
        self.name, self.supports = inner.name, inner.supports

    def send_text(self, sms: OutgoingSms) -> ProviderAnswer:
        return self._inner.send_text(sms)

    def repeats_safely(self, *, first_sent_at: datetime, at: datetime) -> bool:
        return False

    def close_connections(self) -> None:
        self._inner.close_connections()


class _Dying:
    """A consumer that ends its process, as kill -9 does, at one of its calls."""

    def __init__(self, inner: JobConsumer, kind: str) -> None:
        self._kind = kind
        self.lease, self.dead_letter, self.extend = inner.lease, inner.dead_letter, inner.extend
        self.is_up, self.stop, self.close_connections = inner.is_up, inner.stop, inner.close_connections
        self._inner = inner

    def ack(self, lease: Lease) -> None:
        if self._kind == "dies_at_ack":
            os.kill(os.getpid(), signal.SIGKILL)
        self._inner.ack(lease)

    def requeue(self, lease: Lease, job: SendJob, *, delay_seconds: int) -> None:
        if self._kind == "dies_at_requeue":
            os.kill(os.getpid(), signal.SIGKILL)
        self._inner.requeue(lease, job, delay_seconds=delay_seconds)


def main() -> None:
    """Run as `sms_service.worker.__main__.main` does."""
    settings, kind = load_settings(Settings), os.environ["STAGE_WORKER"]
    configure_logs("sms-worker", settings.log_level)
    redis = connect_redis(settings.redis_url, max_connections=settings.worker_threads + 4)
    consumer = _Dying(make_consumer(settings), kind)
    handler = make_job_handler(settings, redis, consumer, stopping=threading.Event())
    if kind == "plain":
        plain = {name: _Plain(provider) for name, provider in handler.dispatcher.providers.items()}
        handler = replace(handler, dispatcher=replace(handler.dispatcher, providers=plain))
    run_worker(settings, redis, handler)


if __name__ == "__main__":
    main()
