import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from chassis.errors import DependencyUnavailable
from user_service.passwords.thread_pool import HashingThreads, parallel_hashes, usable_cores


@pytest.fixture
def quota(tmp_path):
    """Count the cores under a container's quota."""

    def cores(text):
        file = tmp_path / "cpu.max"
        file.write_text(text)
        return usable_cores(file)

    return cores


@pytest.fixture
def busy():
    """One thread that hashes until it may go on."""
    threads, begun, go_on = HashingThreads(1, wait_seconds=0.05), threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(threads.run, lambda: (begun.set(), go_on.wait(10)))
        begun.wait(10)
        yield threads, go_on
        go_on.set()
        running.result(10)


def test_without_a_quota_the_cores_are_those_of_the_process(quota, tmp_path):
    own = len(os.sched_getaffinity(0))
    assert [quota("max 100000\n"), usable_cores(tmp_path / "nowhere"), quota("nonsense")] == [own] * 3


def test_a_quota_counts_as_the_next_whole_core(quota):
    assert quota("100000 100000\n") == quota("20000 100000\n") == 1
    assert quota("6400000 100000\n") == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(("cores", "processes", "expected"), [(2, 2, 1), (8, 2, 4), (2, 1, 2), (4, 3, 1), (1, 4, 1)])
def test_all_processes_together_hash_on_every_core_once(cores, processes, expected):
    assert parallel_hashes(cores, processes=processes) == expected


def test_who_waits_too_long_is_sent_away_and_never_run(busy):
    threads, go_on = busy
    ran = []
    with pytest.raises(DependencyUnavailable) as refused:
        threads.run(lambda: ran.append(1))
    go_on.set()
    assert threads.run(lambda: ran.copy()) == []
    assert refused.value.retry_after_seconds == 1


def test_a_hash_that_has_begun_is_waited_for():
    threads, slow = HashingThreads(1, wait_seconds=0.01), threading.Event()
    threading.Timer(0.1, slow.set).start()
    assert threads.run(lambda: slow.wait(10))


def test_an_error_comes_back_to_who_asked():
    with pytest.raises(ZeroDivisionError):
        HashingThreads(1, wait_seconds=1).run(lambda: 1 / 0)
