"""A Redis that restarts, is away at the wrong moment, or forgot everything."""

import shutil
import time
from collections.abc import Callable

import pytest

from sms_service.codes.keys import WORKERS_KEY
from stage.broker import Broker
from stage.processes import flask
from stage.system import SmsSystem, new_mobiles
from stage.vendor import Play

pytestmark = pytest.mark.outside
Judge = Callable[..., object]


def test_a_redis_that_restarts_under_load_loses_no_accepted_code(system: SmsSystem, judge: Judge) -> None:
    system.vendor.plays = (Play(delay_seconds=0.3),)
    system.api()
    system.worker()
    asked = system.ask_all(new_mobiles(150))
    system.server.stop()
    system.server.start()
    asked += system.ask_all(new_mobiles(50))
    row = judge(system, asked)
    assert row.accepted + row.refused == 200
    assert row.accepted >= 150


def test_without_redis_nothing_is_published(rabbit_system: SmsSystem, broker: Broker, judge: Judge) -> None:
    rabbit_system.api()
    assert rabbit_system.ask(*new_mobiles(1)).status == 202
    rabbit_system.server.stop()
    asked = rabbit_system.ask_all(new_mobiles(10))
    assert {each.status for each in asked} == {503}
    assert broker.waiting() == 1
    assert not rabbit_system.apis[0].is_ready()
    rabbit_system.server.start()
    rabbit_system.worker()
    asked += [rabbit_system.ask(*new_mobiles(1))]
    assert judge(rabbit_system, asked).texted == 1


def test_a_worker_without_redis_takes_nothing_in_buries_nothing_and_resumes(
    rabbit_system: SmsSystem, broker: Broker, judge: Judge
) -> None:
    system = rabbit_system
    system.api()
    asked = system.ask_all(new_mobiles(100))
    worker = system.worker(SMS_WORKER_THREADS="4")
    system.server.stop()
    texted = len(system.vendor.texts())
    time.sleep(3)
    assert len(system.vendor.texts()) - texted <= 4, "it went on without Redis"
    assert worker.process.poll() is None
    assert not worker.is_ready()
    system.server.start()
    assert judge(system, asked).texted == 100
    assert broker.dead() == 0
    assert worker.is_ready()


def test_a_worker_whose_provider_answers_while_redis_is_away_writes_it_down_later(
    system: SmsSystem, judge: Judge
) -> None:
    system.vendor.plays = (Play(hold_seconds=2),)
    system.api()
    system.worker()
    asked = system.ask_all(new_mobiles(10))
    end = time.monotonic() + 10
    while len(system.vendor.texts()) < 10:
        assert time.monotonic() < end
        time.sleep(0.05)
    system.server.stop()
    time.sleep(3)
    system.server.start()
    assert judge(system, asked).texted == 10
    assert {job["state"] for each in asked for job in system.jobs_of(each.mobile)} == {"sent"}


def test_a_redis_that_forgot_its_jobs_has_nobody_texted(rabbit_system: SmsSystem) -> None:
    rabbit_system.api()
    asked = rabbit_system.ask_all(new_mobiles(10))
    assert {each.status for each in asked} == {202}
    rabbit_system.redis.flushall()
    worker = rabbit_system.worker()
    rabbit_system.settle([])
    assert worker.metric('sms_claim_total{reason="gone"}') == 10
    assert rabbit_system.vendor.texts() == {}


@pytest.mark.parametrize("loss", ["FLUSHALL", "a restart without its files"])
def test_a_redis_that_lost_everything_does_not_open_what_an_operator_closed(system: SmsSystem, loss: str) -> None:
    system.api()
    worker = system.worker()
    flask("sms_service.app", "sms", "kill-switch", "on", "--reason", "a wave", env=system.env)
    wait_for(lambda: system.redis.zscore(WORKERS_KEY, "nobody") is None)
    seen_at = system.redis.zrange(WORKERS_KEY, 0, -1, withscores=True)
    wait_for(lambda: system.redis.zrange(WORKERS_KEY, 0, -1, withscores=True) != seen_at)  # It saw the switch.
    if loss == "FLUSHALL":
        system.redis.flushall()
    else:
        system.server.stop()
        shutil.rmtree(system.folder / "redis")
        system.server.start()
    asked = []

    def is_closed_again() -> bool:
        asked.append(system.ask(*new_mobiles(1)))
        return asked[-1].retry_after == "300"

    wait_for(is_closed_again)
    assert {each.status for each in asked} == {503}
    assert system.redis.hget("sms:kill_switch", "reason") == "a wave"
    assert system.redis.hget("sms:data", "lost") == "1"
    assert "kill_switch_turned_on_again" in worker.log.read_text()


def wait_for(condition: Callable[[], object], *, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
