"""A broker that freezes, sounds an alarm, dies, refuses, loses its queue, or is full."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from stage.broker import Broker
from stage.processes import flask
from stage.system import SmsSystem, new_mobiles
from stage.tally import Asked
from stage.vendor import Play, Reply, Vendor

pytestmark = pytest.mark.outside
Judge = Callable[..., object]
# The margin is for a busy machine: without the deadline, an answer would come after the fault.
DEADLINE_SECONDS, MARGIN_SECONDS = 1.5, 8.0
BACK_SECONDS = 20


@pytest.fixture
def running(rabbit_system: SmsSystem) -> SmsSystem:
    """A system on RabbitMQ with an API and a worker."""
    rabbit_system.api()
    rabbit_system.worker()
    return rabbit_system


@contextmanager
def asking(system: SmsSystem, *, clients: int = 8) -> Iterator[list[Asked]]:
    """Ask without a pause while the block runs; the list is complete after it."""
    asked: list[Asked] = []
    going = [True]

    def ask_on() -> None:
        while going:
            asked.append(system.ask(*new_mobiles(1)))

    with ThreadPoolExecutor(clients) as pool:
        futures = [pool.submit(ask_on) for _ in range(clients)]
        try:
            yield asked
        finally:
            going.clear()
    for future in futures:
        future.result()


def ask_until(status: int, system: SmsSystem, *, seconds: float = BACK_SECONDS) -> list[Asked]:
    """Ask until an answer has that status; fails when none has in time."""
    end = time.monotonic() + seconds
    asked = [system.ask(*new_mobiles(1))]
    while asked[-1].status != status:
        assert time.monotonic() < end, Counter(each.status for each in asked)
        time.sleep(0.1)
        asked.append(system.ask(*new_mobiles(1)))
    return asked


def slowest_seconds(asked: list[Asked]) -> float:
    return max(each.seconds for each in asked)


def test_ten_short_freezes_text_nobody_after_a_503(rabbit_system: SmsSystem, broker: Broker, judge: Judge) -> None:
    # A deadline shorter than the freezes, so that each of them meets publishes that are under way.
    rabbit_system.api(processes=2, SMS_PUBLISH_DEADLINE_SECONDS="0.15")
    rabbit_system.worker()
    with asking(rabbit_system) as asked:
        for tenth in range(10):
            time.sleep(0.4)
            with broker.frozen():
                time.sleep(0.1 + 0.025 * tenth)
        time.sleep(0.5)
    row = judge(rabbit_system, asked)
    assert row.refused > 0
    assert row.accepted > 0


def test_a_long_freeze_holds_no_request_beyond_the_deadline_and_heals_by_itself(
    running: SmsSystem, broker: Broker, judge: Judge
) -> None:
    before = ask_until(202, running)
    with broker.frozen(), asking(running, clients=4) as during:
        time.sleep(22)  # Longer than two heartbeats of 10 s, so that both sides give the connections up.
    after = ask_until(202, running)
    assert {each.status for each in during} == {503}
    assert slowest_seconds(during) < DEADLINE_SECONDS + MARGIN_SECONDS
    judge(running, before + during + after)
    assert [service.process.poll() for service in running.apis + running.workers] == [None, None]


@pytest.mark.parametrize(
    ("alarm", "all_clear"),
    [
        (("set_vm_memory_high_watermark", "absolute", "1MB"), ("set_vm_memory_high_watermark", "0.6")),
        (("set_disk_free_limit", "10000GB"), ("set_disk_free_limit", "50MB")),
    ],
    ids=["memory", "disk"],
)
def test_an_alarm_refuses_at_once_lets_workers_drain_and_leaves_no_ghosts(
    rabbit_system: SmsSystem, broker: Broker, judge: Judge, alarm: tuple[str, ...], all_clear: tuple[str, ...]
) -> None:
    rabbit_system.api()
    before = rabbit_system.ask_all(new_mobiles(20))
    broker.control(*alarm)
    try:
        first = rabbit_system.ask(*new_mobiles(1))
        later = [rabbit_system.ask(*new_mobiles(1)) for _ in range(5)]
        is_ready = rabbit_system.apis[0].is_ready()
        rabbit_system.worker()
        rabbit_system.settle(before)
        assert set(rabbit_system.vendor.texts()) == {each.mobile for each in before}
    finally:
        broker.control(*all_clear)
    assert {each.status for each in [first, *later]} == {503}
    assert first.seconds < DEADLINE_SECONDS + MARGIN_SECONDS
    assert min(each.seconds for each in later) < DEADLINE_SECONDS  # Nobody waits for a confirmation any more.
    assert not is_ready
    judge(rabbit_system, [*before, first, *later, *ask_until(202, rabbit_system)])


def test_retries_that_an_alarm_holds_back_are_sent_after_it(
    rabbit_system: SmsSystem, broker: Broker, judge: Judge
) -> None:
    rabbit_system.vendor.plays = (Play(texts=False, reply=Reply.HTTP_500), Play())
    rabbit_system.keeps_breaker_closed = True  # Every first try fails.
    rabbit_system.api()
    asked = rabbit_system.ask_all(new_mobiles(30))  # More than the worker may hold.
    broker.control("set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        rabbit_system.worker()
        time.sleep(3)
    finally:
        broker.control("set_vm_memory_high_watermark", "0.6")
    assert judge(rabbit_system, asked).texted == 30


def test_a_killed_broker_keeps_every_accepted_job(rabbit_system: SmsSystem, broker: Broker, judge: Judge) -> None:
    rabbit_system.api()
    before = rabbit_system.ask_all(new_mobiles(300))
    with asking(rabbit_system, clients=4) as during:
        broker.kill()
        time.sleep(1)
        broker.start()
    rabbit_system.worker()
    after = ask_until(202, rabbit_system)
    row = judge(rabbit_system, before + during + after)
    assert row.refused > 0
    assert {each.status for each in before} == {202}


def test_a_wrong_password_is_not_ready_and_refuses(rabbit_system: SmsSystem, broker: Broker, judge: Judge) -> None:
    wrong = {"SMS_AMQP_URL": broker.url_with_wrong_password}
    api = rabbit_system.api(ready=False, **wrong)
    worker = rabbit_system.worker(ready=False, **wrong)
    asked = ask_until(503, rabbit_system)
    asked += rabbit_system.ask_all(new_mobiles(10))
    assert not api.is_ready()
    assert not worker.is_ready()
    rabbit_system.worker()
    assert judge(rabbit_system, asked[-10:]).refused == 10
    for service in (api, worker):
        assert "rabbitmq_lost" in service.log.read_text()
        assert "not-the-password" not in service.log.read_text()


def test_a_deleted_queue_refuses_until_it_is_declared_again(running: SmsSystem, broker: Broker, judge: Judge) -> None:
    before = ask_until(202, running)
    running.settle(before)
    broker.delete_send_queue()
    refused = running.ask_all(new_mobiles(5))
    assert {each.status for each in refused} == {503}
    flask("sms_service.app", "sms", "topology", "apply", env=running.env)
    after = ask_until(202, running)
    judge(running, before + refused + after)
    assert running.workers[0].is_ready()


def test_a_full_queue_refuses_and_gives_the_limits_back(
    make_system: Callable[..., SmsSystem], vendor: Vendor, broker: Broker, queue_name: str, judge: Judge
) -> None:
    system = make_system(vendor, queue_name)
    if queue_name == "rabbitmq":
        broker.control("set_policy", "-p", "faults", "full", "^sms.send.otp$", '{"max-length": 5}')
    try:
        system.api(SMS_QUEUE_CAPACITY_JOBS="5")
        asked = [system.ask(*new_mobiles(1)) for _ in range(15)]
        again = [system.ask(each.mobile) for each in asked if each.status == 503]
    finally:
        if queue_name == "rabbitmq":
            broker.control("clear_policy", "-p", "faults", "full")
    assert {each.status for each in again} == {503}, "a refusal was charged to the mobile"
    system.worker()
    row = judge(system, asked)
    assert 5 <= row.accepted <= 7  # A quorum queue takes a few more while it fills.
    assert row.texted == row.accepted
