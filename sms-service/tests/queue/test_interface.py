"""The promise of the job queue, kept by both adapters. RabbitMQ's part needs TEST_AMQP_URL."""

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pika
import pytest
from redis import Redis

from sms_service.queue.interface import JobConsumer, JobPublisher, Lease, NoSuchDeadJob, QueueInspection
from sms_service.queue.job import JobMalformed, SendJob
from sms_service.queue.rabbitmq import topology
from sms_service.queue.rabbitmq.consumer import RabbitConsumer
from sms_service.queue.rabbitmq.inspection import RabbitInspection
from sms_service.queue.rabbitmq.publisher import RabbitPublisher
from sms_service.queue.redis_stream import DEAD, STREAM, RedisStreamConsumer, RedisStreamPublisher, StreamInspection


class RedisQueue:
    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    def publisher(self, *, job_ttl_seconds: int = 300) -> JobPublisher:
        return RedisStreamPublisher(self.redis, capacity_jobs=1000)

    def consumer(self) -> JobConsumer:
        return RedisStreamConsumer(self.redis, reclaim_after_seconds=0.2)

    def inspection(self) -> QueueInspection:
        return StreamInspection(self.redis)

    def crash(self, consumer: JobConsumer) -> None:
        """A dead consumer of a stream just stops asking."""

    def put_raw(self, body: str) -> None:
        self.redis.xadd(STREAM, {"body": body})

    def dead_bodies(self) -> list[str]:
        entries: Any = self.redis.xrange(DEAD)
        return [fields["body"] for _, fields in entries]

    def close(self) -> None:
        pass


class RabbitQueue:
    def __init__(self, url: str) -> None:
        self.url = url
        self.opened: list[RabbitConsumer | RabbitPublisher] = []
        topology.apply_topology(url)
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self._channel = self._connection.channel()
        for queue in (topology.SEND_QUEUE, topology.DEAD_QUEUE, "sms.retry.2s"):
            self._channel.queue_purge(queue)

    def publisher(self, *, job_ttl_seconds: int = 300) -> JobPublisher:
        publisher = RabbitPublisher(self.url, deadline_seconds=5, job_ttl_seconds=job_ttl_seconds)
        self.opened.append(publisher)
        return publisher

    def consumer(self) -> JobConsumer:
        retries = RabbitPublisher(self.url, deadline_seconds=5, job_ttl_seconds=300)
        consumer = RabbitConsumer(self.url, prefetch=5, publisher=retries)
        self.opened.append(consumer)
        return consumer

    def inspection(self) -> QueueInspection:
        return RabbitInspection(self.url)

    def crash(self, consumer: JobConsumer) -> None:
        consumer.close_connections()

    def put_raw(self, body: str) -> None:
        self._channel.basic_publish(topology.EXCHANGE, topology.SEND_KEY, body.encode())

    def dead_bodies(self) -> list[str]:
        end = time.monotonic() + 5
        bodies: list[str] = []
        while not bodies and time.monotonic() < end:
            _, _, body = self._channel.basic_get(topology.DEAD_QUEUE, auto_ack=True)
            bodies += [body.decode()] if body else []
            self._connection.sleep(0.05)
        return bodies

    def close(self) -> None:
        for opened in self.opened:
            opened.close_connections()
        self._connection.close()


@pytest.fixture(params=["redis", pytest.param("rabbitmq", marks=pytest.mark.outside)])
def job_queue(request: pytest.FixtureRequest, redis: Redis) -> Iterator[RedisQueue | RabbitQueue]:
    queue = RedisQueue(redis) if request.param == "redis" else RabbitQueue(os.environ["TEST_AMQP_URL"])
    yield queue
    queue.close()


@pytest.fixture
def make_job() -> Callable[..., SendJob]:
    def make(**changed: Any) -> SendJob:
        job = SendJob(uuid.uuid4().hex, "a" * 32, 0, int(time.time()) + 300, "request-1")
        return replace(job, **changed)

    return make


@pytest.fixture
def take() -> Callable[..., list[Lease]]:
    """Lease jobs until there are so many, or the time is over."""

    def lease(consumer: JobConsumer, count: int = 1, *, seconds: float = 10) -> list[Lease]:
        leases: list[Lease] = []
        end = time.monotonic() + seconds
        while len(leases) < count and time.monotonic() < end:
            leases += consumer.lease(limit=count - len(leases), wait_seconds=0.1)
        return leases

    return lease


def test_a_job_of_an_earlier_version_begins_a_trace_of_its_own(make_job) -> None:
    job = make_job()
    body = json.loads(job.to_body())
    del body["traceparent"]
    assert SendJob.from_body(json.dumps(body)) == job


@pytest.mark.parametrize("changed", [{"traceparent": 1}, {"traceparent": None}, {"more": "x"}, {"exp": "1"}])
def test_a_job_with_other_fields_is_malformed(make_job, changed) -> None:
    body = json.loads(make_job().to_body()) | changed
    with pytest.raises(JobMalformed):
        SendJob.from_body(json.dumps(body))


def test_a_published_job_arrives_whole(job_queue, make_job, take) -> None:
    job = make_job(traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    job_queue.publisher().publish(job)
    assert [lease.job for lease in take(job_queue.consumer())] == [job]


def test_both_ends_are_up(job_queue, take) -> None:
    publisher, consumer = job_queue.publisher(), job_queue.consumer()
    take(consumer, seconds=0.5)
    assert publisher.is_up()
    assert consumer.is_up()


def test_a_settled_job_never_comes_back(job_queue, make_job, take) -> None:
    job_queue.publisher().publish(make_job())
    consumer = job_queue.consumer()
    [lease] = take(consumer)
    consumer.ack(lease)
    job_queue.crash(consumer)
    assert take(job_queue.consumer(), seconds=0.8) == []


def test_a_job_of_a_crashed_worker_comes_to_another(job_queue, make_job, take) -> None:
    job = make_job()
    job_queue.publisher().publish(job)
    first = job_queue.consumer()
    assert len(take(first)) == 1
    job_queue.crash(first)
    assert [lease.job for lease in take(job_queue.consumer())] == [job]


def test_the_next_attempt_comes_after_its_delay(job_queue, make_job, take) -> None:
    job = make_job()
    job_queue.publisher().publish(job)
    consumer = job_queue.consumer()
    [lease] = take(consumer)
    handed_over_at = time.monotonic()
    consumer.requeue(lease, replace(job, attempt=1), delay_seconds=2)
    [again] = take(consumer)
    assert again.job == replace(job, attempt=1)
    assert time.monotonic() - handed_over_at >= 1.8
    consumer.ack(again)
    assert take(consumer, seconds=0.5) == []


def test_a_buried_job_lies_with_the_dead(job_queue, make_job, take) -> None:
    job = make_job()
    job_queue.publisher().publish(job)
    consumer = job_queue.consumer()
    consumer.dead_letter(take(consumer)[0], "no use")
    assert job_queue.dead_bodies() == [job.to_body()]
    assert take(consumer, seconds=0.5) == []


@pytest.mark.parametrize("body", ["not JSON", "[]", '{"v":2}', '{"v":1,"id":"x"}', "x" * 5000, "[" * 4000])
def test_a_body_that_is_no_job_is_buried_and_hurts_no_other(job_queue, make_job, take, body: str) -> None:
    job = make_job()
    job_queue.put_raw(body)
    job_queue.publisher().publish(job)
    consumer = job_queue.consumer()
    assert [lease.job for lease in take(consumer)] == [job]
    assert job_queue.dead_bodies() == [body]


def test_a_job_past_its_expiry_never_comes(job_queue, make_job, take) -> None:
    job = make_job(exp=int(time.time()) + 1)
    job_queue.publisher(job_ttl_seconds=1).publish(job)
    time.sleep(1.2)  # The broker's clock, which no test can set.
    assert take(job_queue.consumer(), seconds=0.5) == []
    assert job_queue.dead_bodies() == [job.to_body()]


def test_two_workers_never_share_a_job(job_queue, make_job, take) -> None:
    publisher, consumers = job_queue.publisher(), [job_queue.consumer(), job_queue.consumer()]
    jobs = [make_job() for _ in range(20)]
    for job in jobs:
        publisher.publish(job)
    leased: list[str] = []
    end = time.monotonic() + 10
    while len(leased) < len(jobs) and time.monotonic() < end:
        for consumer in consumers:
            for lease in consumer.lease(limit=3, wait_seconds=0.05):
                leased.append(lease.job.id)
                consumer.ack(lease)
    assert sorted(leased) == sorted(job.id for job in jobs)


def test_a_stopped_consumer_takes_nothing_and_settles_what_it_has(job_queue, make_job, take) -> None:
    publisher, consumer, second = job_queue.publisher(), job_queue.consumer(), make_job()
    publisher.publish(make_job())
    [lease] = take(consumer)
    consumer.stop()
    publisher.publish(second)
    assert consumer.lease(limit=1, wait_seconds=0.1) == []
    consumer.ack(lease)
    job_queue.crash(consumer)
    other = job_queue.consumer()
    [lease] = take(other)
    other.ack(lease)
    assert lease.job == second
    assert take(other, seconds=0.5) == []


@pytest.fixture
def dead_letter(job_queue, take) -> Callable[[SendJob], None]:
    """Have a worker dead_letter a job, and wait until the dead one is there."""

    def dead_letter(job: SendJob) -> None:
        job_queue.publisher().publish(job)
        consumer, known = job_queue.consumer(), len(job_queue.inspection().list_dead(100))
        consumer.dead_letter(take(consumer)[0], "no use")
        end = time.monotonic() + 5
        while len(job_queue.inspection().list_dead(100)) == known and time.monotonic() < end:
            time.sleep(0.05)
        job_queue.crash(consumer)

    return dead_letter


def test_operators_see_the_dead_jobs_as_often_as_they_look(job_queue, make_job, dead_letter) -> None:
    jobs = [make_job(), make_job()]
    for job in jobs:
        dead_letter(job)
    for _ in range(3):
        found = job_queue.inspection().list_dead(100)
        assert [(dead.id, dead.job, bool(dead.reason)) for dead in found] == [(job.id, job, True) for job in jobs]
        assert all(dead.died_at is not None and abs(dead.died_at.timestamp() - time.time()) < 60 for dead in found)
    assert [dead.id for dead in job_queue.inspection().list_dead(1)] == [jobs[0].id]


def test_a_dead_job_can_be_sent_again(job_queue, make_job, dead_letter, take) -> None:
    job, other = make_job(), make_job()
    dead_letter(job)
    dead_letter(other)
    job_queue.inspection().replay_dead(job.id)
    assert [lease.job for lease in take(job_queue.consumer())] == [job]
    assert [dead.id for dead in job_queue.inspection().list_dead(100)] == [other.id]


def test_a_dead_job_can_be_dropped(job_queue, make_job, dead_letter, take) -> None:
    job = make_job()
    dead_letter(job)
    job_queue.inspection().drop_dead(job.id)
    assert job_queue.inspection().list_dead(100) == []
    assert take(job_queue.consumer(), seconds=0.5) == []
    for act in (job_queue.inspection().drop_dead, job_queue.inspection().replay_dead):
        with pytest.raises(NoSuchDeadJob):
            act(job.id)


def test_operators_see_how_much_waits(job_queue, make_job) -> None:
    publisher = job_queue.publisher()
    before = sum(job_queue.inspection().depths().values())
    for _ in range(3):
        publisher.publish(make_job())
    end = time.monotonic() + 5  # The broker counts a moment later than it confirms.
    while sum(job_queue.inspection().depths().values()) < before + 3 and time.monotonic() < end:
        time.sleep(0.05)
    depths = job_queue.inspection().depths()
    assert max(depths.values()) == 3
    assert sum(depths.values()) == before + 3


def test_a_kept_job_is_not_taken_over(job_queue, make_job, take) -> None:
    job_queue.publisher().publish(make_job())
    first, second = job_queue.consumer(), job_queue.consumer()
    [lease] = take(first)
    end = time.monotonic() + 0.6
    while time.monotonic() < end:
        first.extend(lease)
        assert second.lease(limit=1, wait_seconds=0.05) == []
