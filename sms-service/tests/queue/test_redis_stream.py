"""What the Redis stream alone must do: dead-letter a poison message."""

import threading
import time

from redis import Redis

from sms_service.queue.job import SendJob
from sms_service.queue.redis_stream import DEAD, RedisStreamConsumer


def test_a_poison_message_is_dead_lettered_after_ten_deliveries(
    redis: Redis, stream_publisher, stream_consumer
) -> None:
    stream_publisher.publish(SendJob("a-job", "a" * 32, 0, int(time.time()) + 300, "request-1"))
    for _ in range(10):
        assert len(stream_consumer.lease(limit=1, wait_seconds=0.001)) == 1
        stream_consumer = RedisStreamConsumer(redis, reclaim_after_seconds=0.001)
        threading.Event().wait(0.01)
    assert stream_consumer.lease(limit=1, wait_seconds=0.001) == []
    assert redis.xlen(DEAD) == 1
