"""A vendor that fails, hangs, answers nonsense, or is away: one text each, or none and a state that says so."""

import time
from collections.abc import Callable

import pytest

from stage.system import SmsSystem, new_mobiles
from stage.tally import Asked
from stage.vendor import Play, Reply, Vendor

pytestmark = pytest.mark.outside
Judge = Callable[..., object]
PER_FAULT = 5
# Of the first try; the second is a plain success. The client gives up after 5 s without a byte, and 8 s in all.
FAULTS = {
    "answers 500 and texts nobody": Play(texts=False, reply=Reply.HTTP_500),
    "answers 500 and texts": Play(reply=Reply.HTTP_500),
    "texts and does not answer in time": Play(hold_seconds=6),
    "takes 7 s": Play(delay_seconds=7),
    "answers nonsense": Play(reply=Reply.MALFORMED),
    "resets after it texted": Play(reply=Reply.RESET),
    "resets and texts nobody": Play(texts=False, reply=Reply.RESET),
    "answers piece by piece": Play(reply=Reply.SLOW_BODY),
}


def ask_for_each_fault(system: SmsSystem) -> dict[str, list[Asked]]:
    """Ask for codes, a few per fault, all at once."""
    mobiles = {fault: new_mobiles(PER_FAULT) for fault in FAULTS}
    for fault, play in FAULTS.items():
        system.vendor.plays_of |= dict.fromkeys(mobiles[fault], (play, Play()))
    asked = {each.mobile: each for each in system.ask_all(mobile for group in mobiles.values() for mobile in group)}
    return {fault: [asked[mobile] for mobile in group] for fault, group in mobiles.items()}


def test_a_failing_vendor_texts_everybody_once(system: SmsSystem, judge: Judge) -> None:
    system.api()
    system.keeps_breaker_closed = True  # Every first try fails; what the breaker does about that is not asked here.
    worker = system.worker(SMS_WORKER_THREADS="64")
    asked = ask_for_each_fault(system)
    for fault, group in asked.items():
        row = judge(system, group, fault)
        assert (row.accepted, row.texted) == (PER_FAULT, PER_FAULT)
        assert {job["state"] for each in group for job in system.jobs_of(each.mobile)} == {"sent"}
    assert worker.is_ready()
    assert worker.metric('sms_claim_total{reason="sending"}') == 0, "a job in hand was delivered again"


def test_a_failing_vendor_without_an_idempotency_key_texts_nobody_twice(
    make_system: Callable[..., SmsSystem], plain_vendor: Vendor, judge: Judge
) -> None:
    system = make_system(plain_vendor)
    system.api()
    system.keeps_breaker_closed = True
    system.worker(module="stage.wired_worker", STAGE_WORKER="plain", SMS_WORKER_THREADS="64")
    for fault, group in ask_for_each_fault(system).items():
        row = judge(system, group, fault)
        assert row.texted + row.given_up == PER_FAULT
        assert {system.vendor.requests[each.mobile] for each in group} == {1}


def test_a_vendor_that_cannot_be_reached_for_a_while_texts_everybody_later(system: SmsSystem, judge: Judge) -> None:
    system.api()
    system.worker()
    system.vendor.shut()
    asked = system.ask_all(new_mobiles(20))
    time.sleep(1)
    states = [job["state"] for each in asked for job in system.jobs_of(each.mobile)]
    assert set(states) == {"retry", "sending"}, "some have tried, and the others wait for the breaker"
    system.vendor.open()
    assert judge(system, asked).texted == 20
