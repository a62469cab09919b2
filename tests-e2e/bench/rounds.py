"""Rounds of acting by several threads, ours and a yardstick's in turns, so that noise meets both alike."""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psutil

CLIENTS = 8


def per_second(act: Callable[[int], object], *, seconds: float, threads: int = CLIENTS) -> float:
    """Have threads act for one round, and return how often they did in a second."""
    begun_at = time.monotonic()

    def work(thread: int) -> int:
        done = 0
        while time.monotonic() - begun_at < seconds:
            act(thread + done * threads)
            done += 1
        return done

    with ThreadPoolExecutor(threads) as pool:
        total = sum(pool.map(work, range(threads)))
    return total / (time.monotonic() - begun_at)


def speed_and_cpu_ms(act: Callable[[int], object], *, seconds: float, threads: int = CLIENTS) -> tuple[float, float]:
    """Return the acts in a second, and the milliseconds of processors that each took, here and in our processes."""
    begun_at, spent = time.monotonic(), _processor_seconds()
    speed = per_second(act, threads=threads, seconds=seconds)
    return speed, 1000 * (_processor_seconds() - spent) / (speed * (time.monotonic() - begun_at))


def servers_cpu_ms(act: Callable[[int], object], *, seconds: float, threads: int = CLIENTS) -> float:
    """Return the milliseconds of processors that each act took in the processes that we started, without our own."""
    begun_at, spent = time.monotonic(), _servers_seconds()
    speed = per_second(act, threads=threads, seconds=seconds)
    return 1000 * (_servers_seconds() - spent) / (speed * (time.monotonic() - begun_at))


def _processor_seconds() -> float:
    """Sum the processor time of this process and of all that it started."""
    return time.process_time() + _servers_seconds()


def _servers_seconds() -> float:
    return sum(sum(process.cpu_times()[:2]) for process in psutil.Process().children(recursive=True))


def in_turns(ours: Callable[[], float], yardstick: Callable[[], float], *, rounds: int) -> tuple[float, float]:
    """Measure both in turns, and return the two medians."""
    pairs = [(ours(), yardstick()) for _ in range(rounds)]
    mine, other = (statistics.median(each) for each in zip(*pairs, strict=True))
    return mine, other
