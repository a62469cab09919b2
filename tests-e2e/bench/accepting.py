"""What the confirmed publish costs: the API as it is, against the same app whose publisher does nothing."""

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from stage.processes import Service
from stage.system import SmsSystem, new_mobiles

ROUNDS, ROUND_SECONDS, CLIENTS = 5, 3.0, 8
CPU_GOAL = 1.25
_WARM_UP = 200


@dataclass(frozen=True)
class Round:
    """One round: codes per second, CPU of the API process per code, and percentiles of the answer time, in ms."""

    per_second: float
    cpu_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


def measure_accepting(system: SmsSystem) -> Iterator[str]:
    """Run interleaved rounds, and write the medians and their ratios."""
    apis = {
        "no publish": system.api(app="stage.wired_api:without_publishing()", THREADS=str(CLIENTS)),
        "confirmed publish": system.api(THREADS=str(CLIENTS)),
    }
    for api in apis.values():
        _ask(system, api, new_mobiles(_WARM_UP))
    rounds: dict[str, list[Round]] = {name: [] for name in apis}
    for _ in range(ROUNDS):
        for name, api in apis.items():
            rounds[name].append(_round(system, api))
    yield f"{ROUNDS} interleaved rounds of {ROUND_SECONDS:.0f} s, {CLIENTS} clients; medians"
    yield f"{'':18} {'codes/s':>8} {'CPU ms':>8} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8}"
    medians = {name: _median(each) for name, each in rounds.items()}
    for name, row in medians.items():
        yield f"{name:18} {row.per_second:8.0f} {row.cpu_ms:8.2f} {row.p50_ms:8.1f} {row.p95_ms:8.1f} {row.p99_ms:8.1f}"
    base, full = medians.values()
    ratios = [getattr(full, field) / getattr(base, field) for field in Round.__annotations__]
    yield f"{'ratio':18} " + " ".join(f"{ratio:8.2f}" for ratio in ratios)
    yield f"goal: CPU ratio below {CPU_GOAL}: {'met' if full.cpu_ms / base.cpu_ms < CPU_GOAL else 'MISSED'}"


def _round(system: SmsSystem, api: Service) -> Round:
    [process] = api.children()
    seconds: list[float] = []
    cpu, begun_at = process.cpu_times(), time.monotonic()
    while time.monotonic() - begun_at < ROUND_SECONDS:
        seconds += _ask(system, api, new_mobiles(25 * CLIENTS))
    spent, cpu_after = time.monotonic() - begun_at, process.cpu_times()
    cpu_seconds = cpu_after.user + cpu_after.system - cpu.user - cpu.system
    cuts = statistics.quantiles(seconds, n=100)
    return Round(
        per_second=len(seconds) / spent,
        cpu_ms=1000 * cpu_seconds / len(seconds),
        p50_ms=1000 * cuts[49],
        p95_ms=1000 * cuts[94],
        p99_ms=1000 * cuts[98],
    )


def _ask(system: SmsSystem, api: Service, mobiles: list[str]) -> list[float]:
    """Ask for codes, and return how long each answer took; every one must be accepted."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        asked = list(pool.map(lambda mobile: system.ask(mobile, api=api), mobiles))
    assert {each.status for each in asked} == {202}
    return [each.seconds for each in asked]


def _median(rounds: list[Round]) -> Round:
    return Round(*(statistics.median(getattr(each, field) for each in rounds) for field in Round.__annotations__))
