"""Makes the queue that the settings choose: RabbitMQ where SMS_AMQP_URL is set, else the Redis stream."""

from chassis.redis_client import connect_redis
from sms_service.queue.interface import JobConsumer, JobPublisher, QueueInspection
from sms_service.queue.rabbitmq.consumer import RabbitConsumer
from sms_service.queue.rabbitmq.inspection import RabbitInspection
from sms_service.queue.rabbitmq.publisher import RabbitPublisher
from sms_service.queue.redis_stream import RedisStreamConsumer, RedisStreamPublisher, StreamInspection
from sms_service.settings import Settings

_PREFETCHED_JOBS = 4  # Beside the leased ones, so that a free thread need not wait for the broker.


def make_publisher(settings: Settings) -> JobPublisher:
    """Make the publisher of this process; call it after the fork."""
    if settings.amqp_url is not None:
        return _rabbit_publisher(settings, settings.amqp_url.get_secret_value(), name="sms-api")
    return RedisStreamPublisher(connect_redis(settings.redis_url), capacity_jobs=settings.queue_capacity_jobs)


def _rabbit_publisher(settings: Settings, url: str, *, name: str) -> RabbitPublisher:
    deadline = settings.publish_deadline_seconds
    return RabbitPublisher(url, deadline_seconds=deadline, job_ttl_seconds=settings.code_ttl_seconds, name=name)


def make_consumer(settings: Settings) -> JobConsumer:
    """Make the consumer of this worker."""
    if settings.amqp_url is not None:
        url = settings.amqp_url.get_secret_value()
        publisher = _rabbit_publisher(settings, url, name="sms-worker-retries")
        return RabbitConsumer(url, prefetch=settings.worker_threads + _PREFETCHED_JOBS, publisher=publisher)
    # A client of its own: while a read waits for jobs, it keeps a connection.
    redis = connect_redis(settings.redis_url, max_connections=settings.worker_threads + 4)
    return RedisStreamConsumer(redis, reclaim_after_seconds=settings.reclaim_after_seconds)


def make_inspection(settings: Settings) -> QueueInspection:
    """Make what operators see the queue through."""
    if settings.amqp_url is not None:
        return RabbitInspection(settings.amqp_url.get_secret_value())
    return StreamInspection(connect_redis(settings.redis_url))
