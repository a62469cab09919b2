"""Fixtures of the worker: jobs that wait, and their states."""

import threading
from collections.abc import Callable

import pytest
from redis import Redis

from chassis.mobiles import Mobile
from sms_service.codes.purposes import Purpose
from sms_service.codes.reservation import Reservation
from sms_service.codes.sms_codes import SmsCodes
from sms_service.queue.interface import JobConsumer
from sms_service.queue.job import SendJob
from sms_service.queue.redis_stream import RedisStreamConsumer
from sms_service.worker.heartbeat import Heartbeat
from sms_service.worker.loop import WorkerLoop

MOBILE = Mobile("+8613800138000")


@pytest.fixture
def enqueue(make_codes, stream_publisher) -> Callable[..., Reservation]:
    def put(mobile: str = MOBILE) -> Reservation:
        codes: SmsCodes = make_codes(
            sends_per_ip_per_hour=1000,
            sends_per_ip_per_day=1000,
            sends_per_block_per_hour=1000,
            sends_per_minute=1000,
        )
        reservation = codes.reserve(Mobile(mobile), Purpose.LOGIN, subject="", ip="192.0.2.1")
        stream_publisher.publish(
            SendJob(reservation.job_id, reservation.mobile_hash, 0, reservation.expires_at, "request-1")
        )
        codes.commit(reservation)
        return reservation

    return put


@pytest.fixture
def make_worker_loop(redis: Redis, make_heartbeat: Callable[..., Heartbeat]) -> Callable[..., WorkerLoop]:
    """Make the loop of one more worker, on a stream unless a consumer is given."""

    def make(
        consumer: JobConsumer | None = None, *, threads: int = 1, heartbeat: Heartbeat | None = None
    ) -> WorkerLoop:
        return WorkerLoop(
            consumer or RedisStreamConsumer(redis, reclaim_after_seconds=10),
            threads=threads,
            stopping=threading.Event(),
            heartbeat=heartbeat or make_heartbeat(),
        )

    return make


@pytest.fixture
def state(redis: Redis) -> Callable[[Reservation], str]:
    return lambda reservation: str(redis.hget(reservation.charged_keys[0], "state"))
