"""Fetches that others wait for, what is remembered of addresses, and the threads that refresh."""

import threading
from typing import Any

from gateway.cache.fills import Fills, RefreshPool
from gateway.cache.store import Key

KEY, OTHER = Key("http", "h", "/a"), Key("http", "h", "/b")
WAIT_SECONDS = 20


def test_a_fetch_has_one_owner_until_its_end() -> None:
    fills = Fills()
    first, is_own = fills.join(KEY, ("en",))
    assert is_own
    assert fills.join(KEY, ("en",)) == (first, False)
    assert fills.join(KEY, ("zh",))[1]
    assert fills.join(OTHER, ("en",))[1]
    fills.end(first)
    assert first.done.is_set()
    assert fills.join(KEY, ("en",))[1]


def test_to_end_a_fetch_twice_leaves_the_next_one_alone() -> None:
    fills = Fills()
    first, _ = fills.join(KEY, ())
    fills.end(first)
    second, _ = fills.join(KEY, ())
    fills.end(first)
    assert fills.join(KEY, ()) == (second, False)


def test_a_change_outdates_all_fetches_of_its_address() -> None:
    fills = Fills()
    joined, alone, other = fills.join(KEY, ())[0], fills.begin(KEY), fills.begin(OTHER)
    fills.outdate(KEY)
    assert (joined.is_outdated, alone.is_outdated, other.is_outdated) == (True, True, False)
    assert fills.join(KEY, ())[1], "nobody waits for what is of before the change"


def test_addresses_with_answers_for_one_are_remembered_for_a_minute(clock: Any) -> None:
    fills = Fills(clock=clock)
    assert not fills.is_unshared(KEY)
    fills.note_answer(KEY, is_shared=False)
    assert (fills.is_unshared(KEY), fills.is_unshared(OTHER)) == (True, False)
    fills.note_answer(KEY, is_shared=True)
    assert not fills.is_unshared(KEY)
    fills.note_answer(KEY, is_shared=False)
    clock.now += 60
    assert not fills.is_unshared(KEY)


def test_a_failure_is_remembered_for_two_seconds(clock: Any) -> None:
    fills = Fills(clock=clock)
    fills.note_failure(KEY)
    assert (fills.is_failing(KEY), fills.is_failing(OTHER)) == (True, False)
    clock.now += 2
    assert not fills.is_failing(KEY)


def test_what_is_remembered_is_bounded() -> None:
    fills = Fills()
    for number in range(4097):
        fills.note_answer(Key("http", "h", str(number)), is_shared=False)
    assert fills.is_unshared(Key("http", "h", "4096"))
    assert not fills.is_unshared(Key("http", "h", "1"))


def test_jobs_run_and_one_that_breaks_harms_no_other() -> None:
    pool, done = RefreshPool(), threading.Event()
    pool.start()
    for _ in range(4):
        assert pool.submit(lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    assert pool.submit(done.set)
    assert done.wait(WAIT_SECONDS)
    pool.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "refresh" and thread.is_alive()]


def test_the_queue_is_bounded_and_a_job_that_hangs_does_not_hold_up_the_end() -> None:
    pool, started, end = RefreshPool(), threading.Event(), threading.Event()

    def hang() -> None:
        started.set()
        end.wait(WAIT_SECONDS)

    pool.start()
    assert pool.submit(hang)
    assert pool.submit(hang)
    assert started.wait(WAIT_SECONDS)
    accepted = sum(pool.submit(lambda: None) for _ in range(100))
    assert 62 <= accepted <= 64
    pool.stop()
    end.set()
