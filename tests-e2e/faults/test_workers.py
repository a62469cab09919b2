"""Workers that are killed, told to stop, or replaced one after the other, under load."""

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from stage.broker import Broker
from stage.system import SmsSystem, new_mobiles
from stage.vendor import Play, Reply, Vendor

pytestmark = pytest.mark.outside
JOBS, KILLS = 1500, 10
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
