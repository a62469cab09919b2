"""How sending scales with workers: texts per second of 1, 2 and 4 worker processes against a provider of 50 ms."""

import os
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from unittest.mock import patch

import psutil

from bench.effort import Effort, Tell
from bench.table import Row, compare
from chassis.mobiles import Mobile
from chassis.settings import load_settings
from sms_service.codes.purposes import Purpose
from sms_service.codes.sms_codes import SmsCodes
from sms_service.queue.factory import make_publisher
from sms_service.queue.job import SendJob
from sms_service.settings import Settings
from stage.system import SmsSystem, new_mobiles

PROVIDER_SECONDS = 0.05
_WORKERS = (1, 2, 4)
_GOALS = {2: 1.9}  # Two cores carry no more.
_START_SECONDS = 5  # So long workers send while others start.


@dataclass(frozen=True)
class Round:
    """One round: texts per second, and CPU of the workers per text in ms."""

    per_second: float
    cpu_ms: float


class Stock:
    """Puts jobs on the queue as the API does, without the HTTP around it."""

    def __init__(self, system: SmsSystem) -> None:
        with patch.dict(os.environ, system.env):
            settings = load_settings(Settings)
        self._codes = SmsCodes(system.redis, system.keys, settings)
        self._publisher = make_publisher(settings)
        self._system = system

    def fill(self, count: int) -> None:
        """Have at least so many jobs on the queue."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._put, new_mobiles(max(0, count - self._system.queued()))))

    def _put(self, mobile: str) -> None:
        code = self._codes.reserve(Mobile(f"+86{mobile}"), Purpose.LOGIN, subject="", ip="192.0.2.1")
        self._publisher.publish(SendJob(code.job_id, code.mobile_hash, 0, code.expires_at, "a-request"))
        self._codes.commit(code)

    def close(self) -> None:
        """Let go of the queue."""
        self._publisher.close_connections()


def measure_sending(system: SmsSystem, effort: Effort, tell: Tell) -> Iterator[Row]:
    """Run interleaved rounds, and compare the medians to those of one worker."""
    system.env |= {"SMS_CODE_TTL_SECONDS": "600", "SMS_WORKER_THREADS": str(effort.worker_threads)}
    most_per_second = effort.worker_threads / PROVIDER_SECONDS
    rounds: dict[int, list[Round]] = {count: [] for count in _WORKERS}
    with closing(Stock(system)) as stock:
        for number in range(effort.rounds):
            tell(f"filling the queue, round {number + 1} of {effort.rounds}")
            stock.fill(int(most_per_second * sum(_WORKERS) * (effort.round_seconds + _START_SECONDS)))
            for count in _WORKERS:
                tell(f"sending, workers: {count}, round {number + 1} of {effort.rounds}")
                rounds[count].append(_round(system, count, effort))
            _stop_workers(system)
    rate = {count: statistics.median(each.per_second for each in found) for count, found in rounds.items()}
    cpu = {count: statistics.median(each.cpu_ms for each in found) for count, found in rounds.items()}
    yield compare("texts, 1 worker", rate[1], most_per_second, unit="a second", against="its threads at 50 ms a text")
    for count in _WORKERS[1:]:
        texts, goal = f"texts, {count} workers", _GOALS.get(count)
        yield compare(texts, rate[count], rate[1], unit="a second", against="1 worker", at_least=goal)
        yield compare(f"CPU of a text, {count} workers", cpu[count], cpu[1], unit="ms", against="1 worker")


def _round(system: SmsSystem, count: int, effort: Effort) -> Round:
    """Start what is missing to so many workers, and watch all of them for a while."""
    for worker in [system.worker(ready=False) for _ in range(count - len(system.workers))]:
        worker.wait_until_ready()
    time.sleep(0.5)  # Every thread has its connections by then.
    processes = [psutil.Process(worker.process.pid) for worker in system.workers]
    cpu, texts, begun_at = _cpu_seconds(processes), len(system.vendor.texts()), time.monotonic()
    time.sleep(effort.round_seconds)
    sent, spent = len(system.vendor.texts()) - texts, time.monotonic() - begun_at
    cpu = _cpu_seconds(processes) - cpu
    assert system.queued() > count * effort.worker_threads, "the queue ran empty"
    return Round(sent / spent, 1000 * cpu / sent)


def _stop_workers(system: SmsSystem) -> None:
    assert [worker.stop() for worker in system.workers] == [0] * len(system.workers)
    system.workers.clear()


def _cpu_seconds(processes: list[psutil.Process]) -> float:
    return sum(each.cpu_times().user + each.cpu_times().system for each in processes)
