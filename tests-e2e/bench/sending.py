"""How sending scales with workers: texts per second of 1, 2 and 4 worker processes against a provider of 50 ms."""

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psutil

from chassis.mobiles import Mobile
from sms_service.app import limits_of
from sms_service.codes.purposes import Purpose
from sms_service.codes.sms_codes import SmsCodes
from sms_service.queue.factory import make_publisher
from sms_service.queue.interface import JobPublisher
from sms_service.queue.job import SendJob
from sms_service.settings import Settings
from stage.system import SmsSystem, new_mobiles

ROUNDS, ROUND_SECONDS = 3, 4.0
WORKERS = (1, 2, 4)
SCALING_GOAL = 1.9
_MOST_PER_WORKER = 320  # Texts per second: 16 threads, 50 ms.
_PURPOSE = Purpose.LOGIN


@dataclass(frozen=True)
class Round:
    """One round: texts per second, and CPU of the workers per text in ms."""

    per_second: float
    cpu_ms: float


class Stock:
    """Puts jobs on the queue as the API does, without the HTTP around it."""

    def __init__(self, system: SmsSystem) -> None:
        variables = {name.removeprefix("SMS_").lower(): value for name, value in system.env.items()}
        settings = Settings(**{name: variables[name] for name in Settings.model_fields if name in variables})
        self._codes = SmsCodes(system.redis, system.keys, limits_of(settings))
        self._publisher: JobPublisher = make_publisher(settings)
        self._system = system

    def fill(self, count: int) -> None:
        """Have at least so many jobs on the queue."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._put, new_mobiles(max(0, count - self._system.queued()))))

    def _put(self, mobile: str) -> None:
        code = self._codes.reserve(Mobile(f"+86{mobile}"), _PURPOSE, subject="", ip="192.0.2.1")
        self._publisher.publish(SendJob(code.job_id, code.mobile_hash, 0, code.expires_at, "a-request"))
        self._codes.commit(code)

    def close(self) -> None:
        """Let go of the queue."""
        self._publisher.close()


def measure_sending(system: SmsSystem) -> Iterator[str]:
    """Run interleaved rounds, and write the medians and their ratios to one worker."""
    system.env["SMS_CODE_TTL_SECONDS"] = "600"
    stock = Stock(system)
    rounds: dict[int, list[Round]] = {count: [] for count in WORKERS}
    for _ in range(ROUNDS):
        for count in WORKERS:
            stock.fill(int(_MOST_PER_WORKER * count * (ROUND_SECONDS + 3)))
            rounds[count].append(_round(system, count))
    stock.close()
    rate = {count: statistics.median(each.per_second for each in found) for count, found in rounds.items()}
    cpu = {count: statistics.median(each.cpu_ms for each in found) for count, found in rounds.items()}
    yield f"{ROUNDS} interleaved rounds of {ROUND_SECONDS:.0f} s; medians"
    yield f"{'workers':>8} {'texts/s':>8} {'CPU ms':>8} {'ratio':>8}"
    for count in WORKERS:
        yield f"{count:8} {rate[count]:8.0f} {cpu[count]:8.2f} {rate[count] / rate[1]:8.2f}"
    yield f"goal: at least {SCALING_GOAL} from 1 to 2: {'met' if rate[2] / rate[1] >= SCALING_GOAL else 'MISSED'}"


def _round(system: SmsSystem, count: int) -> Round:
    workers = [system.worker(ready=False) for _ in range(count)]
    for worker in workers:
        worker.wait_until_ready()
    time.sleep(0.5)  # Every thread has its connections by then.
    processes = [psutil.Process(worker.process.pid) for worker in workers]
    cpu, texts, begun_at = _cpu_seconds(processes), len(system.vendor.texts()), time.monotonic()
    time.sleep(ROUND_SECONDS)
    sent, spent = len(system.vendor.texts()) - texts, time.monotonic() - begun_at
    cpu = _cpu_seconds(processes) - cpu
    assert system.queued() > count * 16, "the queue ran empty"
    for worker in workers:
        assert worker.stop() == 0
    system.workers.clear()
    return Round(sent / spent, 1000 * cpu / sent)


def _cpu_seconds(processes: list[psutil.Process]) -> float:
    return sum(each.cpu_times().user + each.cpu_times().system for each in processes)
