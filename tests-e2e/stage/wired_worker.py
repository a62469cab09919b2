"""A worker with other collaborators than its settings choose: ``python -m stage.wired_worker``.

STAGE_WORKER says which: ``plain`` takes the vendor for one without an idempotency key; ``dies_at_settle`` is killed
between FINISH and the acknowledgement; ``dies_at_hand_over`` between FINISH(retry) and the publish of the next attempt.
"""

import os
import signal
import threading
from datetime import datetime

from chassis.logs import configure_logs
from chassis.redis_client import connect_redis
from chassis.settings import load_settings
from sms_service.codes.crypto import CodeKeys
from sms_service.providers.factory import make_templates
from sms_service.providers.provider import OutgoingSms, Provider, ProviderAnswer
from sms_service.queue.factory import make_consumer
from sms_service.queue.interface import JobConsumer, Lease
from sms_service.queue.job import SendJob
from sms_service.routing.dispatcher import make_dispatcher
from sms_service.settings import Settings
from sms_service.worker.health_server import WorkerHealth
from sms_service.worker.job_handler import Sending, Texts
from sms_service.worker.job_states import SendJobs
from sms_service.worker.loop import WorkerLoop
from sms_service.worker.retry import Insistence


class _Plain:
    """A provider that says that a repeated send may text twice."""

    def __init__(self, inner: Provider) -> None:
        self._inner = inner
        self.name, self.carries = inner.name, inner.carries

    def send(self, sms: OutgoingSms) -> ProviderAnswer:
        return self._inner.send(sms)

    def repeats_safely(self, *, first_sent_at: datetime, at: datetime) -> bool:
        return False

    def close(self) -> None:
        self._inner.close()


class _Dying:
    """A consumer that ends its process, as kill -9 does, at one of its calls."""

    def __init__(self, inner: JobConsumer, kind: str) -> None:
        self._kind = kind
        self.lease, self.bury, self.keep = inner.lease, inner.bury, inner.keep
        self.is_up, self.stop, self.close = inner.is_up, inner.stop, inner.close
        self._inner = inner

    def settle(self, lease: Lease) -> None:
        if self._kind == "dies_at_settle":
            os.kill(os.getpid(), signal.SIGKILL)
        self._inner.settle(lease)

    def hand_over(self, lease: Lease, job: SendJob, *, delay_seconds: int) -> None:
        if self._kind == "dies_at_hand_over":
            os.kill(os.getpid(), signal.SIGKILL)
        self._inner.hand_over(lease, job, delay_seconds=delay_seconds)


def main() -> None:
    """Run as `sms_service.worker.main` does."""
    settings, kind = load_settings(Settings), os.environ["STAGE_WORKER"]
    configure_logs("sms-worker", settings.log_level)
    redis = connect_redis(settings.redis_url, max_connections=settings.worker_threads + 4)
    keys = CodeKeys(settings.code_key.get_secret_value())
    stopping = threading.Event()
    insist, templates = Insistence(stopping), make_templates(settings)
    dispatcher = make_dispatcher(settings, redis, keys, templates, insist=insist)
    if kind == "plain":
        dispatcher.providers = {name: _Plain(provider) for name, provider in dispatcher.providers.items()}
    consumer = _Dying(make_consumer(settings), kind)
    worker = WorkerLoop(consumer, threads=settings.worker_threads, stopping=stopping)
    useful = settings.useful_lifetime_seconds
    jobs = SendJobs(redis, keys, useful_lifetime_seconds=useful, claim_window_seconds=settings.claim_window_seconds)
    texts = Texts(templates, code_ttl_seconds=settings.code_ttl_seconds)
    sending = Sending(
        consumer, jobs, dispatcher, texts, useful_lifetime_seconds=useful, insist=insist, stopping=stopping
    )
    signal.signal(signal.SIGTERM, worker.stop)
    checks = {"queue": consumer.is_up, "redis": redis.ping}
    with WorkerHealth(settings.bind_host, settings.metrics_port, is_alive=worker.is_alive, checks=checks):
        worker.run(sending.handle)
    consumer.close()
    dispatcher.close()


if __name__ == "__main__":
    main()
