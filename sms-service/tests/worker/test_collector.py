"""What the workers report of the state that they share."""

from redis import Redis

from sms_service.queue.workers import load_workers


def test_a_claimed_request_waits_no_longer(enqueue, work, redis: Redis) -> None:
    assert load_workers(redis).oldest_seconds == 0
    enqueue()
    assert 0 < load_workers(redis).oldest_seconds < 60
    work()
    assert load_workers(redis).oldest_seconds == 0
