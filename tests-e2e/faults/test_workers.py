"""Workers that are killed, told to stop, or replaced one after the other, under load."""

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from stage.broker import Broker
from stage.system import SmsSystem, new_mobiles
from stage.tally import Asked
from stage.vendor import Play, Reply, Vendor

pytestmark = pytest.mark.outside
JOBS, KILLS = 1500, 10
SEEN_WITHIN_SECONDS = 5
WIRED = {"module": "stage.wired_worker"}
# Long enough that each kill finds calls under way, short enough that the run ends soon.
IN_MID_SEND = Play(delay_seconds=0.08, hold_seconds=0.08)
Judge = Callable[..., object]


def kill_workers(system: SmsSystem, times: int, **worker: str) -> int:
    """Kill one of the workers and start another, again and again; answers how many jobs they had in hand."""
    in_hand = 0
    for _ in range(times):
        victim = system.workers.pop(0)
        in_hand += int(victim.metric("sms_worker_busy_threads"))
        victim.kill()
        system.worker(**worker)
    return in_hand


def test_ten_killed_workers_text_everybody_once(system: SmsSystem, judge: Judge) -> None:
    system.vendor.plays = (IN_MID_SEND,)
    system.api(processes=2)
    for _ in range(2):
        system.worker()
    with ThreadPoolExecutor(1) as clients:
        asking = clients.submit(system.ask_all, new_mobiles(JOBS))
        time.sleep(0.5)
        assert kill_workers(system, KILLS) > KILLS, "the workers died idle"
        asked = asking.result()
    row = judge(system, asked)
    assert (row.accepted, row.texted, row.given_up) == (JOBS, JOBS, 0)


def test_five_killed_workers_text_nobody_twice_without_an_idempotency_key(
    make_system: Callable[..., SmsSystem], plain_vendor: Vendor, judge: Judge
) -> None:
    plain_vendor.plays = (IN_MID_SEND,)
    system = make_system(plain_vendor)
    system.api()
    for _ in range(2):
        system.worker(**WIRED, STAGE_WORKER="plain")
    with ThreadPoolExecutor(1) as clients:
        asking = clients.submit(system.ask_all, new_mobiles(600))
        time.sleep(0.5)
        in_hand = kill_workers(system, 5, **WIRED, STAGE_WORKER="plain")
        asked = asking.result()
    row = judge(system, asked)
    assert row.accepted == row.texted + row.given_up == 600
    uncertain = sum(job["state"] == "uncertain" for each in asked for job in system.jobs_of(each.mobile))
    assert 0 < uncertain <= 5 * 16, f"{in_hand} were in hand"


def test_a_worker_killed_between_finish_and_acknowledgement_texts_once(system: SmsSystem, judge: Judge) -> None:
    system.api()
    dying = system.worker(**WIRED, STAGE_WORKER="dies_at_ack", SMS_WORKER_THREADS="1")
    asked = [system.ask(*new_mobiles(1))]
    assert dying.process.wait(20) == -signal.SIGKILL
    assert [job["state"] for job in system.jobs_of(asked[0].mobile)] == ["sent"]
    system.worker()
    judge(system, asked)
    assert system.vendor.requests[asked[0].mobile] == 1


def test_a_worker_killed_between_finish_and_hand_over_loses_no_retry(system: SmsSystem, judge: Judge) -> None:
    system.vendor.plays = (Play(texts=False, reply=Reply.HTTP_500), Play())
    system.api()
    dying = system.worker(**WIRED, STAGE_WORKER="dies_at_requeue", SMS_WORKER_THREADS="1")
    asked = [system.ask(*new_mobiles(1))]
    assert dying.process.wait(20) == -signal.SIGKILL
    assert [job["state"] for job in system.jobs_of(asked[0].mobile)] == ["retry"]
    system.worker()
    assert judge(system, asked).texted == 1


def test_a_worker_told_to_stop_under_load_ends_its_calls_and_leaves_the_rest(system: SmsSystem, judge: Judge) -> None:
    system.vendor.plays = (IN_MID_SEND,)
    system.api()
    leaving, _ = system.worker(), system.worker()
    with ThreadPoolExecutor(1) as clients:
        asking = clients.submit(system.ask_all, new_mobiles(300))
        time.sleep(0.7)
        assert leaving.metric("sms_worker_busy_threads") > 0
        assert leaving.stop() == 0
        asked = asking.result()
    row = judge(system, asked)
    assert (row.texted, max(system.vendor.requests.values())) == (300, 1)


def test_twelve_rolling_restarts_under_a_backlog_bury_no_job(
    rabbit_system: SmsSystem, broker: Broker, judge: Judge
) -> None:
    system = rabbit_system
    system.vendor.plays = (Play(delay_seconds=1),)
    system.api()
    asked = system.ask_all(new_mobiles(300))
    system.worker()
    for _ in range(12):
        old = system.workers.pop()
        system.worker()
        assert old.stop() == 0
    system.vendor.plays = (Play(),)
    assert judge(system, asked).texted == 300
    assert broker.dead() == 0


def ask_until(status: int, system: SmsSystem, *, seconds: float = 40) -> list[Asked]:
    """Ask until an answer has that status; fails when none has in time."""
    end = time.monotonic() + seconds
    asked = [system.ask(*new_mobiles(1))]
    while asked[-1].status != status:
        assert time.monotonic() < end, asked[-1]
        time.sleep(0.25)
        asked.append(system.ask(*new_mobiles(1)))
    return asked


def charges(system: SmsSystem) -> dict[str, object]:
    """What every limit and budget counts, and the jobs that there are."""
    logs = {key: system.redis.zrange(key, 0, -1) for key in system.redis.keys("sms:sends:*")}
    return logs | {key: system.redis.hgetall(key) for key in system.redis.keys("sms:budget:day:*")} | {
        "jobs": len(system.redis.keys("sms:job:*"))
    }  # fmt: skip


def test_without_a_worker_nothing_is_accepted_and_nothing_charged(system: SmsSystem, judge: Judge) -> None:
    api, worker = system.api(), system.worker()
    asked = [system.ask(*new_mobiles(1))]
    system.settle(asked)
    assert worker.stop() == 0
    before = charges(system)
    refused = [system.ask(mobile) for mobile in new_mobiles(20)]
    assert {(each.status, each.retry_after) for each in refused} == {(503, "10")}
    assert charges(system) == before
    assert not api.is_ready()
    assert api.metric("sms_workers_alive") == 0
    assert api.metric('sms_not_deliverable_total{reason="no_worker"}') == 20
    system.worker()
    again = [system.ask(each.mobile) for each in refused]
    assert {each.status for each in again} == {202}
    assert api.is_ready()
    assert judge(system, asked + again).texted == 21


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_that_vanishes_is_missed_within_seconds(system: SmsSystem, judge: Judge, end: signal.Signals) -> None:
    system.api()
    worker = system.worker(SMS_WORKER_SEEN_WITHIN_SECONDS=str(SEEN_WITHIN_SECONDS))
    worker.process.send_signal(end)
    begun_at = time.monotonic()
    asked = ask_until(503, system)
    assert time.monotonic() - begun_at < 6 * SEEN_WITHIN_SECONDS
    if end is signal.SIGSTOP:
        worker.process.send_signal(signal.SIGCONT)
    else:
        system.worker()
    asked += ask_until(202, system)
    row = judge(system, asked)
    assert row.texted == row.accepted > 1


def test_workers_that_are_replaced_one_by_one_refuse_nobody(system: SmsSystem, judge: Judge) -> None:
    system.api()
    system.worker()
    with ThreadPoolExecutor(1) as clients:
        asking = clients.submit(system.ask_all, new_mobiles(200))
        while not asking.done():
            system.worker()
            assert system.workers.pop(0).stop() == 0
        asked = asking.result()
    row = judge(system, asked)
    assert (row.accepted, row.texted) == (200, 200)


def test_a_backlog_that_grows_old_is_refused_until_it_is_gone(rabbit_system: SmsSystem, judge: Judge) -> None:
    system = rabbit_system
    life = {"SMS_CODE_TTL_SECONDS": "60", "SMS_USEFUL_LIFETIME_SECONDS": "10"}
    system.vendor.shut()
    api = system.api(**life)
    system.worker(**life, SMS_WORKER_THREADS="1")
    asked = system.ask_all(new_mobiles(5))  # One of them waits with the worker, for the vendor.
    asked += ask_until(503, system)
    assert asked[-1].retry_after == "30"
    assert api.metric('sms_not_deliverable_total{reason="backlog"}') == 1
    assert not api.is_ready()
    system.vendor.open()
    system.keeps_breaker_closed = True  # When the breaker would let the vendor be tried again is not asked here.
    system.settle(asked)
    asked += ask_until(202, system)
    judge(system, asked)
