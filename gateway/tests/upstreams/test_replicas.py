"""Who gets a request, who is ejected, and who waits for whom; no socket is opened here."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chassis.errors import DependencyUnavailable
from gateway.upstreams.replicas import Bounds, Replica, Replicas

WAIT_SECONDS = 30
ADDRESSES = [("news:8000", ("192.0.2.1", 8000)), ("news:8000", ("192.0.2.2", 8000))]


@pytest.fixture
def make_replicas(clock: Callable[[], float]) -> Callable[..., Replicas]:
    """Make two replicas, or as many as a test says, with a clock that stands still."""

    def make(count: int = 2, *, silent: int = 100, waiting: int = 100) -> Replicas:
        replicas = Replicas("news-service", Bounds(silent, waiting), on_ejected=lambda: None, clock=clock)
        replicas.set_addresses(ADDRESSES[:count])
        return replicas

    return make


def eject(replicas: Replicas, *ejected: Replica) -> None:
    for replica in ejected:
        replicas.note_failure(replica, "refused", is_unreachable=True)


def acquire_all(replicas: Replicas) -> list[Replica]:
    """Each replica once, as none of them is given back."""
    return sorted((replicas.acquire() for _ in ADDRESSES), key=lambda each: each.address)


def wait_until(is_true: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_the_less_busy_one_gets_the_request(make_replicas: Callable[..., Replicas]) -> None:
    replicas = make_replicas()
    first, second = acquire_all(replicas)
    assert first is not second
    replicas.release(first)
    assert replicas.acquire() is first
    replicas.release(second)
    assert replicas.acquire() is second


def test_one_refused_connection_ejects_or_three_failures_in_a_row(
    make_replicas: Callable[..., Replicas],
) -> None:
    replicas = make_replicas()
    first, second = acquire_all(replicas)
    eject(replicas, first)
    assert replicas.ejected() == [first]
    for reason in ("reset", "reset"):
        replicas.note_failure(second, reason)
    replicas.note_answer(second, is_last=False)
    for reason in ("reset", "reset"):
        replicas.note_failure(second, reason)
    assert replicas.ejected() == [first]
    replicas.note_failure(second, "reset")
    assert replicas.ejected() == [first, second]


def test_each_ejection_without_an_answer_between_lasts_longer(
    make_replicas: Callable[..., Replicas], clock: Callable[[], float]
) -> None:
    replicas = make_replicas(1)
    replica = replicas.acquire()
    lasted = []
    for _ in range(7):
        eject(replicas, replica)
        assert replica.ejected_until is not None
        lasted.append(round(replica.ejected_until - clock(), 3))
        replicas.restore(replica)
    assert lasted == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    replicas.note_answer(replica, is_last=False)
    eject(replicas, replica)
    assert replica.ejected_until == pytest.approx(clock() + 0.2)


def test_a_replica_that_ends_its_connections_comes_last_for_a_while(
    make_replicas: Callable[..., Replicas], clock: Any
) -> None:
    replicas = make_replicas()
    draining, other = acquire_all(replicas)
    replicas.note_answer(draining, is_last=True)
    replicas.release(draining)
    assert [replicas.acquire() for _ in range(3)] == [other] * 3
    eject(replicas, other)
    assert replicas.acquire() is draining
    replicas.restore(other)
    clock.now += 4
    assert replicas.acquire() is draining


def test_what_was_tried_comes_last(make_replicas: Callable[..., Replicas]) -> None:
    replicas = make_replicas()
    first, second = acquire_all(replicas)
    assert [replicas.acquire([first]) for _ in range(3)] == [second] * 3
    assert replicas.acquire([first, second]) in (first, second)


def test_a_request_waits_for_a_replica_that_comes_back(make_replicas: Callable[..., Replicas]) -> None:
    replicas = make_replicas(1)
    replica = replicas.acquire()
    eject(replicas, replica)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(replicas.acquire)
        wait_until(lambda: replicas.waiting == 1)
        replicas.restore(replica)
        assert waiting.result(WAIT_SECONDS) is replica
    assert replicas.waiting == 0


def test_requests_wait_for_a_name_that_is_not_resolved_yet(make_replicas: Callable[..., Replicas]) -> None:
    replicas = make_replicas(0)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(replicas.acquire)
        wait_until(lambda: replicas.waiting == 1)
        replicas.set_addresses(ADDRESSES)
        assert waiting.result(WAIT_SECONDS).host == "news:8000"


def test_nobody_waits_for_a_service_that_is_away_for_long(make_replicas: Callable[..., Replicas], clock: Any) -> None:
    replicas = make_replicas(1)
    eject(replicas, replicas.acquire())
    with pytest.raises(DependencyUnavailable):
        replicas.acquire(until=clock())  # From here on it is known to be away.
    clock.now += 4
    with pytest.raises(DependencyUnavailable) as refused:
        replicas.acquire()
    assert refused.value.retry_after_seconds == 2


def test_only_some_requests_wait_at_once(make_replicas: Callable[..., Replicas]) -> None:
    replicas = make_replicas(1, waiting=1)
    replica = replicas.acquire()
    eject(replicas, replica)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(replicas.acquire)
        wait_until(lambda: replicas.waiting == 1)
        with pytest.raises(DependencyUnavailable):
            replicas.acquire()
        replicas.restore(replica)
        assert waiting.result(WAIT_SECONDS) is replica


def test_a_silent_service_holds_only_some_threads(make_replicas: Callable[..., Replicas], clock: Any) -> None:
    replicas = make_replicas(1, silent=2)
    replica = replicas.acquire()
    replicas.acquire()
    replicas.acquire()  # It may just be busy.
    clock.now += 1
    with pytest.raises(DependencyUnavailable):
        replicas.acquire(until=clock())
    replicas.note_answer(replica, is_last=False)
    assert replicas.acquire() is replica


def test_a_failed_request_makes_room_at_a_silent_service(make_replicas: Callable[..., Replicas], clock: Any) -> None:
    replicas = make_replicas(1, silent=1)
    replica = replicas.acquire()
    clock.now += 1
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(replicas.acquire)
        wait_until(lambda: replicas.waiting == 1)
        replicas.release(replica, has_answered=False)
        assert waiting.result(WAIT_SECONDS) is replica


def test_new_addresses_leave_what_is_known_of_the_old_ones(make_replicas: Callable[..., Replicas]) -> None:
    replicas = make_replicas()
    first, second = acquire_all(replicas)
    eject(replicas, first)
    replicas.set_addresses([*ADDRESSES, ("news:8000", ("192.0.2.3", 8000))])
    assert replicas.ejected() == [first]
    replicas.set_addresses(ADDRESSES[1:])
    assert replicas.ejected() == []
    assert replicas.acquire() is second


def test_many_threads_leave_nothing_counted(make_replicas: Callable[..., Replicas]) -> None:
    replicas, begin = make_replicas(), threading.Barrier(8)

    def work(_: int) -> None:
        begin.wait(WAIT_SECONDS)
        for number in range(500):
            replica = replicas.acquire()
            if number % 2:
                replicas.note_answer(replica, is_last=False)
            replicas.release(replica, has_answered=bool(number % 2))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert [replica.outstanding for replica in acquire_all(replicas)] == [1, 1]
