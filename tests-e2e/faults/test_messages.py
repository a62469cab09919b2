"""Messages that come twice, too late, or are no jobs at all."""

import time
from collections.abc import Callable

import pika
import pytest

from sms_service.queue.job import SendJob
from sms_service.queue.rabbitmq.topology import EXCHANGE, SEND_KEY
from sms_service.queue.redis_stream import STREAM
from stage.system import SmsSystem, new_mobiles

pytestmark = pytest.mark.outside
Judge = Callable[..., object]
POISON = [b"{", b"[]", b'"text"', b'{"v": 99}', b"\xff\xfe", b"", b"x" * 1024 * 1024]


def put(system: SmsSystem, *bodies: bytes) -> None:
    """Put messages on the queue behind the API's back."""
    if system.broker is None:
        for body in bodies:
            system.redis.xadd(STREAM, {"body": body})
        return
    with system.broker.channel() as channel:
        channel.confirm_delivery()
        for body in bodies:
            channel.basic_publish(EXCHANGE, SEND_KEY, body, pika.BasicProperties(delivery_mode=2), mandatory=True)


def waiting_bodies(system: SmsSystem) -> list[bytes]:
    """Read what waits on the queue, and leave it there."""
    if system.broker is None:
        return [fields["body"].encode() for _, fields in system.redis.xrange(STREAM)]
    with system.broker.channel() as channel:
        bodies = []
        while (got := channel.basic_get("sms.send.otp"))[0] is not None:
            bodies.append(got[2])
        return bodies


def test_a_job_that_is_delivered_three_times_is_texted_once(system: SmsSystem, judge: Judge) -> None:
    system.api()
    asked = system.ask_all(new_mobiles(20))
    bodies = waiting_bodies(system)
    assert len(bodies) == 20
    put(system, *bodies, *bodies)
    system.worker()
    system.worker()
    assert judge(system, asked).texted == 20


def test_a_poison_message_is_dead_lettered_and_harms_no_other_job(system: SmsSystem, judge: Judge) -> None:
    system.api()
    asked = []
    for poison in POISON:
        asked += [system.ask(*new_mobiles(1))]
        put(system, poison)
    asked += [system.ask(*new_mobiles(1))]
    worker = system.worker()
    assert judge(system, asked).texted == len(POISON) + 1
    assert worker.metric('sms_dead_total{reason="malformed"}') == len(POISON)
    assert dead(system) == len(POISON)
    assert worker.is_ready()


def dead(system: SmsSystem) -> int:
    return system.redis.xlen("sms:queue:dead") if system.broker is None else system.broker.dead()


def test_a_job_of_an_unknown_code_is_dropped(system: SmsSystem) -> None:
    put(system, SendJob("0" * 32, "0" * 32, 0, int(time.time()) + 300, "a-request").to_body().encode())
    worker = system.worker()
    system.settle([])
    assert worker.metric('sms_claim_total{reason="gone"}') == 1
    assert system.vendor.texts() == {}
    assert dead(system) == 0


def test_a_code_that_outlived_its_use_in_the_queue_is_not_texted(system: SmsSystem) -> None:
    system.api(SMS_CODE_TTL_SECONDS="60")
    asked = system.ask_all(new_mobiles(10))
    assert {each.status for each in asked} == {202}
    time.sleep(2.5)
    worker = system.worker(SMS_CODE_TTL_SECONDS="60", SMS_USEFUL_LIFETIME_SECONDS="58")
    system.settle([])
    assert worker.metric('sms_claim_total{reason="expired"}') == 10
    assert system.vendor.texts() == {}
