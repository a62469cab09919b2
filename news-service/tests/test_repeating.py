"""Work that is repeated in a thread."""

import threading

from chassis.errors import DependencyUnavailable
from news_service.repeating import RepeatingThread


class CountedWork:
    """Fails first, then reports that it was called again."""

    def __init__(self) -> None:
        self.calls = 0
        self.called_twice = threading.Event()

    def run(self) -> int:
        self.calls += 1
        if self.calls == 1:
            raise DependencyUnavailable
        self.called_twice.set()
        return 0


def test_a_failed_round_does_not_end_the_thread() -> None:
    before = threading.active_count()
    work = CountedWork()
    thread = RepeatingThread(work.run, name="counted", every_seconds=0.001)
    thread.start()
    thread.start()
    assert work.called_twice.wait(5)
    thread.stop()
    assert threading.active_count() == before


def test_a_stopped_thread_does_not_start_again() -> None:
    before = threading.active_count()
    thread = RepeatingThread(CountedWork().run, name="counted", every_seconds=3600)
    thread.stop()
    thread.start()
    assert threading.active_count() == before
