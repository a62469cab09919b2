"""The few threads of a process that hash passwords, in the order in which they were asked."""

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from chassis.errors import DependencyUnavailable

T = TypeVar("T")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(quota_file: Path = _QUOTA) -> int:
    """Count the cores that this process may use: those it is bound to, or fewer if its container has a smaller quota.

    The quota is cgroup v2's ``cpu.max`` (Linux, Documentation/admin-guide/cgroup-v2.rst): ``max 100000``, or
    ``150000 100000`` for one and a half, which count as two. The older cgroup v1 is not asked.
    """
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    try:
        quota, period = quota_file.read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else min(cores, -(-int(quota) // int(period)))


def parallel_hashes(cores: int, *, processes: int) -> int:
    """Say how many hashes each process of a service may run, so that all together keep the cores busy, and no more.

    Two on one core take a third longer than one after the other, as each pushes the other out of the core's cache.
    """
    return max(1, cores // processes)


class HashingThreads:
    """Runs at most ``parallel`` hashes at once; the others wait in turn, each at most ``wait_seconds``.

    Threads of their own, and not a semaphore around the threads of requests, for two reasons: a queue is fair, and the
    C library keeps the memory of a hash (19 MiB) for the thread that asked for it, which adds up over all threads.
    """

    def __init__(self, parallel: int, *, wait_seconds: float) -> None:
        self._pool = ThreadPoolExecutor(parallel, thread_name_prefix="hashing")
        self._wait_seconds = wait_seconds

    def run(self, hash_one: Callable[[], T]) -> T:
        """Run a function when it is its turn, and return what it returns.

        Raises:
            DependencyUnavailable: its turn did not come in time; it is not run then.
        """
        waiting = self._pool.submit(hash_one)
        try:
            return waiting.result(self._wait_seconds)
        except TimeoutError as error:
            if waiting.cancel():
                raise DependencyUnavailable("Too many passwords are being checked.", retry_after_seconds=1) from error
            return waiting.result()
