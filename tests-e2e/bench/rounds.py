"""Rounds of acting by several threads, ours and a yardstick's in turns, so that noise meets both alike."""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

CLIENTS = 8
ROUNDS, ROUND_SECONDS = 3, 4.0


def per_second(act: Callable[[int], object], *, threads: int = CLIENTS, seconds: float = ROUND_SECONDS) -> float:
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


def compared(name: str, ours: Callable[[], float], yardstick: Callable[[], float], *, unit: str) -> str:
    """Measure in turns, and write the ratio of the medians with the raw figures beside it."""
    pairs = [(ours(), yardstick()) for _ in range(ROUNDS)]
    mine, other = (statistics.median(each) for each in zip(*pairs, strict=True))
    return f"{name:44} {mine / other:6.2f}  ({mine:,.0f} to {other:,.0f} {unit})"
