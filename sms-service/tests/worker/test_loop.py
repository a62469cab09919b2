"""The worker's loop, with several workers and with a job that breaks."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from chassis.redis_client import connect_redis
from sms_service.providers.inbox import Inbox
from sms_service.queue.job import SendJob
from sms_service.queue.redis_stream import DEAD
from sms_service.queue.workers import load_workers
from sms_service.worker.heartbeat import Heartbeat
from sms_service.worker.loop import WorkerLoop


def test_50_jobs_over_two_workers_are_texted_once_each(
    enqueue, redis, make_worker_loop, inbox: Inbox, make_job_handler
):
    mobiles = [f"+86138001380{number:02d}" for number in range(50)]
    for mobile in mobiles:
        enqueue(mobile)
    workers = [make_worker_loop(threads=4) for _ in range(2)]
    threads = [threading.Thread(target=worker.run, args=[make_job_handler().handle]) for worker in workers]
    for thread in threads:
        thread.start()
    done = threading.Event()
    for _ in range(200):
        if redis.xlen("sms:queue") == 0:
            break
        done.wait(0.05)
    for worker, thread in zip(workers, threads, strict=True):
        worker.stop()
        thread.join()
    assert sorted(message.mobile for message in inbox.messages()) == mobiles


def test_a_job_that_breaks_the_handling_becomes_a_dead_letter_and_does_not_stop_the_worker(
    enqueue, redis, make_worker_loop
) -> None:
    handled: list[str] = []

    def handle(lease: Any) -> None:
        handled.append(lease.job.id)
        if len(handled) == 2:
            worker.stop()
        raise ValueError("broken")

    worker = make_worker_loop()
    jobs = [enqueue().job_id, enqueue("+8613900139000").job_id]
    worker.run(handle)
    assert handled == jobs
    dead: Any = redis.xrange(DEAD)
    assert [(SendJob.from_body(fields["body"]).id, fields["reason"]) for _, fields in dead] == [
        (job_id, "broke") for job_id in jobs
    ]


class Consumer:
    """A consumer without jobs, whose broker is there or away; ``lease`` may fail."""

    def __init__(self, *, up: bool = True, fails: bool = False) -> None:
        self.up, self.fails = up, fails
        self.leased = threading.Semaphore(0)

    def lease(self, **_limits: object) -> list[Any]:
        self.leased.release()
        if self.fails:
            raise ValueError("a fault of the queue")
        return []

    def is_up(self) -> bool:
        return self.up

    def stop(self) -> None:
        pass


def run_for_two_turns(loop: WorkerLoop, consumer: Consumer, look: Callable[[], Any]) -> Any:
    """Run a loop until it has asked for jobs twice and more, look, and stop it."""
    thread = threading.Thread(target=loop.run, args=[lambda _lease: None])
    thread.start()
    for _ in range(3):
        assert consumer.leased.acquire(timeout=20)
    seen = look()
    loop.stop()
    thread.join(20)
    return seen


def test_a_running_worker_is_alive_and_leaves_when_it_stops(make_worker_loop, redis) -> None:
    consumer = Consumer()
    assert run_for_two_turns(make_worker_loop(consumer), consumer, lambda: load_workers(redis).alive) == 1
    assert load_workers(redis).alive == 0


@pytest.mark.parametrize("trouble", [{"up": False}, {"fails": True}])
def test_a_worker_that_can_take_no_jobs_is_not_alive(make_worker_loop, redis, trouble: dict[str, bool]) -> None:
    consumer = Consumer(**trouble)
    assert run_for_two_turns(make_worker_loop(consumer), consumer, lambda: load_workers(redis).alive) == 0


def test_a_worker_without_redis_goes_on(make_worker_loop, redis) -> None:
    away = Heartbeat(connect_redis("redis://127.0.0.1:9"), seen_within_seconds=10, code_ttl_seconds=300)
    consumer = Consumer()
    run_for_two_turns(make_worker_loop(consumer, heartbeat=away), consumer, lambda: None)
    assert load_workers(redis).alive == 0


def test_a_worker_whose_threads_are_all_busy_is_alive_and_not_idle(enqueue, make_worker_loop, redis, now_ms) -> None:
    begun, released = threading.Event(), threading.Event()

    def handle(_lease: Any) -> None:
        begun.set()
        released.wait(20)

    enqueue()
    redis.zadd("sms:waiting", {"a second one": now_ms() - 40_000})
    worker = make_worker_loop()
    thread = threading.Thread(target=worker.run, args=[handle])
    thread.start()
    assert begun.wait(20)
    while not load_workers(redis).alive:
        threading.Event().wait(0.01)
    assert load_workers(redis).oldest_seconds >= 40
    released.set()
    worker.stop()
    thread.join(20)
