"""Rounds of acting by several threads, ours and a yardstick's in turns, so that noise meets both alike."""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

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


def in_turns(ours: Callable[[], float], yardstick: Callable[[], float], *, rounds: int) -> tuple[float, float]:
    """Measure both in turns, and return the two medians."""
    pairs = [(ours(), yardstick()) for _ in range(rounds)]
    mine, other = (statistics.median(each) for each in zip(*pairs, strict=True))
    return mine, other
