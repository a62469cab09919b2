"""The publishing end of the queue on a Redis stream: for one machine, where Redis keeps the codes anyway."""

from redis import Redis, RedisError

from chassis.redis_client import redis_errors
from sms_service.lua import load_script
from sms_service.queue.interface import NotPublished, PublishFailure
from sms_service.queue.job import SendJob

STREAM, DELAYED = "sms:queue", "sms:queue:delayed"


class RedisStreamPublisher:
    """Puts jobs on the stream; Redis confirms by answering."""

    def __init__(self, redis: Redis, *, capacity_jobs: int) -> None:
        self._redis = redis
        self._capacity = capacity_jobs
        self._add = load_script(redis, __file__, "add")

    def publish(self, job: SendJob) -> None:
        """Put a job on the stream, as `JobPublisher.publish`."""
        try:
            added = self._add([STREAM, DELAYED], [job.to_body(), self._capacity])
        except RedisError as error:
            raise NotPublished(PublishFailure.LOST) from error
        if added is None:
            raise NotPublished(PublishFailure.REFUSED)

    def is_up(self) -> bool:
        """Say whether Redis answers."""
        with redis_errors():
            return bool(self._redis.ping())

    def close(self) -> None:
        """Close the pool."""
        self._redis.close()
