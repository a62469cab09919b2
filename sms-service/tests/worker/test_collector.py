"""What the workers report of the state that they share."""

from redis import Redis

from sms_service.codes.sms_codes import Backlog


def test_a_claimed_request_waits_no_longer(enqueue, work, redis: Redis) -> None:
    backlog = Backlog(redis=redis, code_ttl_seconds=300)
    assert backlog.oldest_seconds() == 0
    enqueue()
    assert 0 < backlog.oldest_seconds() < 60
    work()
    assert backlog.oldest_seconds() == 0
