"""What the confirmed publish costs: the API as it is, against the same app whose publisher does nothing."""

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields

from bench.effort import Effort, Tell
from bench.rounds import CLIENTS
from bench.table import Row, compare
from sms_service.codes.keys import WAITING_KEY
from stage.processes import Service
from stage.system import SmsSystem, new_mobiles

_CPU_GOAL = 1.25
_WARM_UP = 200
_BARE_APP = "stage.wired_api:without_publishing()"
_AGAINST = "the app that does not publish"


@dataclass(frozen=True)
class Round:
    """One round: codes per second, CPU of the API process per code, and percentiles of the answer time, in ms."""

    per_second: float
    cpu_ms: float
    p50_ms: float
    p99_ms: float


def measure_accepting(system: SmsSystem, effort: Effort, tell: Tell) -> Iterator[Row]:
    """Run interleaved rounds, and compare the medians."""
    tell("starting the API twice")
    apis = {
        "with publishing": system.api(ready=False, THREADS=str(CLIENTS)),
        "without": system.api(ready=False, app=_BARE_APP, THREADS=str(CLIENTS)),
    }
    for api in apis.values():
        api.wait_until_ready()
        _ask(system, api, new_mobiles(_WARM_UP))
    rounds: dict[str, list[Round]] = {name: [] for name in apis}
    for number in range(effort.accepting_rounds):
        for name, api in apis.items():
            tell(f"accepting codes {name}, round {number + 1} of {effort.accepting_rounds}")
            rounds[name].append(_round(system, api, effort.accepting_seconds))
    ours, bare = map(_median, rounds.values())
    yield compare("codes accepted", ours.per_second, bare.per_second, unit="a second", against=_AGAINST)
    yield compare("CPU of a code", ours.cpu_ms, bare.cpu_ms, unit="ms", against=_AGAINST, at_most=_CPU_GOAL)
    yield compare("answer time, median", ours.p50_ms, bare.p50_ms, unit="ms", against=_AGAINST)
    yield compare("answer time, 99 of 100", ours.p99_ms, bare.p99_ms, unit="ms", against=_AGAINST)


def _round(system: SmsSystem, api: Service, at_least_seconds: float) -> Round:
    [process] = api.children()
    system.redis.delete(WAITING_KEY)  # No worker takes these requests, and an old one would stop all others.
    seconds: list[float] = []
    cpu, begun_at = process.cpu_times(), time.monotonic()
    while time.monotonic() - begun_at < at_least_seconds:
        seconds += _ask(system, api, new_mobiles(25 * CLIENTS))
    spent, cpu_after = time.monotonic() - begun_at, process.cpu_times()
    cpu_seconds = cpu_after.user + cpu_after.system - cpu.user - cpu.system
    cuts = statistics.quantiles(seconds, n=100)
    return Round(len(seconds) / spent, 1000 * cpu_seconds / len(seconds), 1000 * cuts[49], 1000 * cuts[98])


def _ask(system: SmsSystem, api: Service, mobiles: list[str]) -> list[float]:
    """Ask for codes, and return how long each answer took; every one must be accepted."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        asked = list(pool.map(lambda mobile: system.ask(mobile, api=api), mobiles))
    assert {each.status for each in asked} == {202}
    return [each.seconds for each in asked]


def _median(rounds: list[Round]) -> Round:
    return Round(*(statistics.median(getattr(each, field.name) for each in rounds) for field in fields(Round)))
