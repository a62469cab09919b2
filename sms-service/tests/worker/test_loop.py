"""The worker's loop, with several workers and with a job that breaks."""

import threading
from typing import Any

from sms_service.providers.inbox import Inbox
from sms_service.queue.job import SendJob
from sms_service.queue.redis_stream import DEAD, RedisStreamConsumer
from sms_service.worker.loop import WorkerLoop


def test_50_jobs_over_two_workers_are_texted_once_each(enqueue, redis, make_job_states, inbox: Inbox, make_job_handler):
    mobiles = [f"+86138001380{number:02d}" for number in range(50)]
    for mobile in mobiles:
        enqueue(mobile)
    workers = [
        WorkerLoop(RedisStreamConsumer(redis, reclaim_after_seconds=10), threads=4, stopping=threading.Event())
        for _ in range(2)
    ]
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


def test_a_job_that_breaks_the_handling_becomes_a_dead_letter_and_does_not_stop_the_worker(enqueue, redis) -> None:
    handled: list[str] = []

    def handle(lease: Any) -> None:
        handled.append(lease.job.id)
        if len(handled) == 2:
            worker.stop()
        raise ValueError("broken")

    worker = WorkerLoop(RedisStreamConsumer(redis, reclaim_after_seconds=10), threads=1, stopping=threading.Event())
    jobs = [enqueue().job_id, enqueue("+8613900139000").job_id]
    worker.run(handle)
    assert handled == jobs
    dead: Any = redis.xrange(DEAD)
    assert [(SendJob.from_body(fields["body"]).id, fields["reason"]) for _, fields in dead] == [
        (job_id, "broke") for job_id in jobs
    ]
