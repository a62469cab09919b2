"""Notices without a code: who may ask for them, how often, the worker's handling, and what no vendor is asked for."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from redis import Redis

from chassis.mobiles import Mobile
from sms_service.app import create_app
from sms_service.codes.kill_switch import KillSwitch
from sms_service.codes.purposes import Notice, Purpose
from sms_service.metrics import NO_TEMPLATES, NOTICES, TEXTED
from sms_service.providers.inbox import Inbox, InboxProvider
from sms_service.providers.provider import Outcome, OutgoingSms, ProviderAnswer
from sms_service.queue.interface import NotPublished, PublishFailure
from sms_service.queue.redis_stream import DELAYED, RedisStreamConsumer

pytestmark = pytest.mark.usefixtures("living_worker")

MOBILE = Mobile("+8613800138000")


class Vendor:
    """A provider with a template for each of ``supported``; refuses the first texts as told."""

    def __init__(self, *supported: Purpose | Notice, name: str = "vendor", refusals: tuple[Outcome, ...] = ()) -> None:
        self.name = name
        self.supported = supported
        self.refusals = list(refusals)
        self.sent: list[OutgoingSms] = []

    def send_text(self, sms: OutgoingSms) -> ProviderAnswer:
        self.sent.append(sms)
        return ProviderAnswer(self.refusals.pop() if self.refusals else Outcome.ACCEPTED)

    def supports(self, purpose: Purpose | Notice) -> bool:
        return purpose in self.supported

    def repeats_safely(self, **_times: object) -> bool:
        return False

    def close_connections(self) -> None:
        pass


class ClosedQueue:
    """A queue that takes nothing."""

    def publish(self, _job: object) -> None:
        raise NotPublished(PublishFailure.TIMEOUT)

    def is_up(self) -> bool:
        return False

    def close_connections(self) -> None:
        pass


@pytest.fixture
def notify(client: FlaskClient, called_by: Callable[..., dict[str, str]]) -> Callable[..., Any]:
    """Ask for a notice as user-service does."""

    def post(
        notice: str = "password_changed", mobile: str = MOBILE, *, at: FlaskClient = client, **headers: str
    ) -> Any:
        sent = {**called_by("sms-service", "user-service"), **headers}
        return at.post("/internal/sms-notices", json={"mobile": mobile, "notice": notice}, headers=sent)

    return post


@pytest.mark.parametrize(
    ("notice", "language", "words"),
    [
        ("password_changed", "zh-CN", "密码刚刚被修改"),
        ("mobile_changed", "", "已更换手机号"),
        ("password_changed", "en", "password of your account was changed"),
        ("mobile_changed", "en-GB", "another mobile"),
    ],
)
def test_a_notice_is_texted_in_the_persons_language(notify, work, inbox: Inbox, notice, language, words) -> None:
    answer = notify(notice, **{"Accept-Language": language})
    assert (answer.status_code, answer.data) == (204, b"")
    assert work() == 1
    [message] = inbox.messages()
    assert message.mobile == MOBILE
    assert words in message.text


def test_a_notice_holds_no_code_and_nothing_can_be_checked(notify, work, consume, redis: Redis) -> None:
    notify()
    work()
    [job] = [redis.hgetall(key) for key in redis.keys("sms:job:*")]
    assert job["state"] == "sent"
    assert not {"code_digest", "code_sealed", "mobile_sealed", "purpose"} & set(job)
    assert redis.keys("sms:otp:*") == redis.keys("sms:cool:*") == redis.keys("sms:unanswered:*") == []
    assert consume("", purpose="password_changed").status_code == 422
    assert consume("000000", purpose="password_changed").status_code == 422


def test_an_unfinished_notice_is_kept_for_a_minute_after_its_expiry(notify, redis: Redis, expiry_ms) -> None:
    notify()
    [job] = redis.keys("sms:job:*")
    assert expiry_ms(job) == pytest.approx(int(redis.hget(job, "exp")) + 60_000, abs=50)


def test_a_notice_does_not_count_as_a_texted_code(notify, work) -> None:
    texted = TEXTED.labels("inbox", "CN")
    before = texted._value.get()
    notify()
    assert work() == 1
    assert texted._value.get() == before


def test_nobody_asks_for_a_notice_as_for_a_code(ask) -> None:
    assert ask(purpose="password_changed").status_code == 422


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["mobile", "notice"]),
        ({"mobile": MOBILE, "notice": "login"}, ["notice"]),
        ({"mobile": 1, "notice": "password_changed", "text": "x"}, ["mobile", "text"]),
    ],
)
def test_a_wrong_request_is_refused(client: FlaskClient, called_by, body, fields) -> None:
    answer = client.post("/internal/sms-notices", json=body, headers=called_by("sms-service", "user-service"))
    assert (answer.status_code, answer.json["code"]) == (422, "request_invalid")
    assert sorted(error["field"] for error in answer.json["errors"]) == fields


@pytest.mark.parametrize("mobile", ["12345", "+12025550123"])
def test_a_mobile_that_we_do_not_text_is_told(notify, mobile: str) -> None:
    assert notify(mobile=mobile).json["code"] == "mobile_invalid"


def test_a_mobile_gets_five_notices_a_day_and_codes_all_the_same(notify, ask, work, inbox: Inbox) -> None:
    assert [notify().status_code for _ in range(6)] == [204] * 5 + [429]
    assert notify(mobile="+8613800138001").status_code == 204
    assert ask().status_code == 202
    assert work() == 7
    assert len(inbox.messages(MOBILE)) == 6


def test_notices_are_counted_by_their_result(make_settings, notify) -> None:
    results = [NOTICES.labels(name) for name in ("accepted", "too_many_requests")]
    before = [result._value.get() for result in results]
    client = create_app(make_settings(notices_per_mobile_per_day=1)).test_client()
    notify(at=client)
    notify(at=client)
    assert [result._value.get() for result in results] == [count + 1 for count in before]


def test_the_limit_of_notices_is_a_setting(make_settings, notify) -> None:
    client = create_app(make_settings(notices_per_mobile_per_day=1)).test_client()
    first, second = notify(at=client), notify(at=client)
    assert (first.status_code, second.status_code) == (204, 429)
    assert 86_300 < int(second.headers["Retry-After"]) <= 86_400


@pytest.mark.parametrize("budget", ["sends_per_minute", "sends_per_day"])
def test_notices_count_to_the_budgets_of_all_texts(make_settings, notify, budget: str) -> None:
    client = create_app(make_settings(**{budget: 1})).test_client()
    assert notify(at=client).status_code == 204
    refused = notify(mobile="+8613900139000", at=client)
    assert (refused.status_code, refused.json["code"]) == (503, "sms_unavailable")


def test_the_kill_switch_stops_notices_too(notify, work, redis: Redis, inbox: Inbox) -> None:
    notify()
    KillSwitch(redis).turn_on("pumping")
    assert notify().json["code"] == "sms_unavailable"
    work()
    assert inbox.messages() == []


def test_a_notice_that_the_queue_does_not_take_is_never_texted(make_settings, notify, redis: Redis) -> None:
    client = create_app(make_settings(), publisher=ClosedQueue()).test_client()
    answer = notify(at=client)
    assert (answer.status_code, answer.json["code"]) == (503, "sms_unavailable")
    assert redis.keys("sms:job:*") == []


def test_without_redis_no_notice_is_promised(make_settings, notify) -> None:
    client = create_app(make_settings(redis_url="redis://127.0.0.1:9")).test_client()
    assert notify(at=client).json["code"] == "sms_unavailable"


def test_a_test_number_is_not_texted(make_settings, notify, keys_of_requests) -> None:
    client = create_app(make_settings(test_mobiles=f"{MOBILE}:123456:2999-12-31")).test_client()
    assert notify(at=client).status_code == 204
    assert keys_of_requests() == []


def test_a_vendor_with_a_template_gets_a_notice_without_parameters(notify, work) -> None:
    vendor = Vendor(Notice.PASSWORD_CHANGED)
    notify()
    work(vendor)
    [sms] = vendor.sent
    assert (sms.purpose, sms.code, sms.parameters) == (Notice.PASSWORD_CHANGED, "", {})


def test_a_notice_goes_past_the_vendors_without_a_template_for_it(notify, make_job_handler, stream_consumer) -> None:
    without, having = Vendor(*Purpose, name="without"), Vendor(Notice.MOBILE_CHANGED, name="having")
    notify("mobile_changed")
    [lease] = stream_consumer.lease(limit=1, wait_seconds=0.1)
    make_job_handler(without, having, order=("without", "having")).handle(lease)
    assert (len(without.sent), len(having.sent)) == (0, 1)


def test_a_notice_that_no_vendor_has_a_template_for_is_given_up_and_counted(notify, work, redis: Redis) -> None:
    before = NO_TEMPLATES._value.get()
    vendor = Vendor(*Purpose)
    notify()
    assert work(vendor) == 1
    [key] = redis.keys("sms:job:*")
    assert (vendor.sent, redis.hget(key, "state"), redis.zcard(DELAYED)) == ([], "failed", 0)
    assert redis.exists("sms:provider:vendor") == 0
    assert NO_TEMPLATES._value.get() == before + 1


def test_a_notice_that_a_busy_vendor_refuses_is_tried_again(notify, work, redis: Redis) -> None:
    vendor = Vendor(*Notice, refusals=(Outcome.REFUSED_BUSY,))
    notify()
    work(vendor)
    assert redis.zcard(DELAYED) == 1
    for body in redis.zrange(DELAYED, 0, -1):
        redis.zadd(DELAYED, {body: 0})
    work(vendor)
    assert len(vendor.sent) == 2


@pytest.mark.parametrize(("is_called", "state", "texts"), [(True, "uncertain", 0), (False, "sent", 1)])
def test_a_notice_of_a_worker_that_died_is_texted_unless_it_may_have_been(
    notify, work, make_job_states, redis: Redis, is_called: bool, state: str, texts: int
) -> None:
    vendor = Vendor(*Notice)
    notify()
    [lease] = RedisStreamConsumer(redis, reclaim_after_seconds=10).lease(limit=1, wait_seconds=0.1)
    make_job_states().claim(lease.job)
    [key] = redis.keys("sms:job:*")
    if is_called:
        redis.hset(key, "provider", "vendor")
    threading.Event().wait(0.1)
    work(vendor)
    assert (redis.hget(key, "state"), len(vendor.sent)) == (state, texts)


def test_a_notice_that_comes_twice_is_texted_once(notify, work, stream_publisher, stream_consumer, inbox) -> None:
    notify()
    [lease] = stream_consumer.lease(limit=1, wait_seconds=0.1)
    stream_consumer.ack(lease)
    stream_publisher.publish(lease.job)
    stream_publisher.publish(lease.job)
    assert work(InboxProvider(inbox)) >= 2  # More, if a slow machine lets one be claimed again.
    assert len(inbox.messages()) == 1


def test_the_mobile_stands_nowhere_in_clear(notify, redis: Redis) -> None:
    notify()
    kept = [redis.hgetall(key) for key in redis.keys("sms:job:*")] + redis.keys("*")
    assert "138001380" not in repr(kept)


def test_without_a_worker_no_notice_is_promised_or_charged(notify, living_worker, keys_of_requests) -> None:
    living_worker.leave()
    answer = notify()
    assert (answer.status_code, answer.json["code"], answer.headers["Retry-After"]) == (503, "sms_unavailable", "10")
    assert keys_of_requests() == []
    living_worker.beat(is_idle=True)
    assert notify().status_code == 204
