"""A worker's handling of one job, on a real Redis and a real queue, with providers that misbehave."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from chassis.errors import DependencyUnavailable, SmsCodeExpired
from chassis.mobiles import Mobile
from sms_service.codes.kill_switch import KillSwitch
from sms_service.codes.purposes import Language, Notice, Purpose
from sms_service.codes.reservation import Reservation
from sms_service.codes.sms_codes import SmsCodes
from sms_service.metrics import TEXTED
from sms_service.providers.inbox import Inbox
from sms_service.providers.provider import Outcome, OutgoingSms, ProviderAnswer
from sms_service.queue.interface import NotPublished, PublishFailure
from sms_service.queue.job import SendJob
from sms_service.queue.redis_stream import DELAYED, RedisStreamConsumer
from sms_service.routing.breaker import CircuitBreaker, Send
from sms_service.routing.routes import Pace
from sms_service.worker.job_handler import retry_until
from sms_service.worker.job_states import Finish, FinishState

MOBILE = Mobile("+8613800138000")


class ScriptedProvider:
    """Answers what it is told, one outcome per send; afterwards it accepts."""

    def __init__(self, *outcomes: Outcome, is_idempotent: bool = False, name: str = "scripted") -> None:
        self.name = name
        self.outcomes = list(outcomes)
        self.is_idempotent = is_idempotent
        self.sent: list[OutgoingSms] = []

    def send_text(self, sms: OutgoingSms) -> ProviderAnswer:
        self.sent.append(sms)
        return ProviderAnswer(self.outcomes.pop(0) if self.outcomes else Outcome.ACCEPTED)

    def supports(self, purpose: Purpose | Notice) -> bool:
        return isinstance(purpose, Purpose)

    def repeats_safely(self, *, first_sent_at: datetime, at: datetime) -> bool:
        return self.is_idempotent

    def close_connections(self) -> None:
        pass


class DiesAfterSending(ScriptedProvider):
    """Sends a text, and its worker dies before it gets the answer."""

    def send_text(self, sms: OutgoingSms) -> ProviderAnswer:
        super().send_text(sms)
        raise Died


class Died(BaseException):
    """The end of a worker."""


@pytest.fixture
def die_while_sending(redis: Redis, make_job_handler) -> Callable[[Any], None]:
    """Have a worker take one job, hand it to a provider, and die; afterwards others may claim it."""

    def die(provider: Any) -> None:
        dead = RedisStreamConsumer(redis, reclaim_after_seconds=10)
        [lease] = dead.lease(limit=1, wait_seconds=0.1)
        with pytest.raises(Died):
            make_job_handler(provider, consumer=dead).handle(lease)
        threading.Event().wait(0.1)

    return die


@pytest.fixture
def hurry(redis: Redis) -> Callable[[], None]:
    """Let the delayed attempts be due now."""

    def now() -> None:
        delayed: Any = redis.zrange(DELAYED, 0, -1)
        for body in delayed:
            redis.zadd(DELAYED, {body: 0})

    return now


def job_of(reservation: Reservation) -> SendJob:
    return SendJob(reservation.job_id, reservation.mobile_hash, 0, reservation.expires_at, "request-1")


def is_valid(codes: SmsCodes) -> bool:
    try:
        return codes.check(MOBILE, Purpose.LOGIN, code="042619", subject="").is_right
    except SmsCodeExpired:
        return False


def test_a_text_is_sent_once_with_all_that_a_provider_needs(enqueue, work, state) -> None:
    provider = ScriptedProvider()
    reservation = enqueue()
    assert work(provider) == 1
    text = "【新经资讯】您的登录验证码是042619，5分钟内有效。"
    sent = provider.sent[0]
    assert provider.sent == [
        OutgoingSms(reservation.job_id, MOBILE, Purpose.LOGIN, Language.ZH, "042619", 5, text, sent.left_seconds)
    ]
    assert 290 <= sent.left_seconds <= 300
    assert state(reservation) == "sent"


def test_a_job_that_is_delivered_twice_is_texted_once(enqueue, work, stream_publisher) -> None:
    provider = ScriptedProvider()
    stream_publisher.publish(job_of(enqueue()))
    assert work(provider) == 2
    assert len(provider.sent) == 1


def test_a_busy_provider_is_asked_again_after_a_while(enqueue, work, state, hurry, redis: Redis) -> None:
    provider = ScriptedProvider(Outcome.REFUSED_BUSY, Outcome.NOT_SENT)
    reservation = enqueue()
    work(provider)
    assert (state(reservation), redis.zcard(DELAYED), len(provider.sent)) == ("retry", 1, 1)
    hurry()
    work(provider)
    hurry()
    work(provider)
    assert (state(reservation), len(provider.sent)) == ("sent", 3)


def test_after_four_sends_a_job_fails_and_its_code_dies(enqueue, work, state, hurry, make_codes) -> None:
    provider = ScriptedProvider(*[Outcome.NOT_SENT] * 9)
    reservation = enqueue()
    for _ in range(6):
        work(provider)
        hurry()
    assert (state(reservation), len(provider.sent)) == ("failed", 4)
    assert not is_valid(make_codes())


def test_a_retry_whose_first_finish_lost_its_answer_is_put_on_the_queue(
    enqueue, make_job_handler, make_job_states, stream_consumer, redis: Redis
) -> None:
    class FinishingTwice:
        """Writes each end down twice, as after a lost answer."""

        claim = staticmethod(make_job_states().claim)

        def finish(self, job: SendJob, finish: Finish) -> str:
            make_job_states().finish(job, finish)
            return make_job_states().finish(job, finish)

    enqueue()
    [lease] = stream_consumer.lease(limit=1, wait_seconds=0.1)
    replace(make_job_handler(ScriptedProvider(Outcome.NOT_SENT)), states=FinishingTwice()).handle(lease)
    assert redis.zcard(DELAYED) == 1


def test_an_uncertain_text_is_not_sent_again_and_its_code_works(enqueue, work, state, make_codes, redis) -> None:
    provider = ScriptedProvider(Outcome.UNCERTAIN)
    reservation = enqueue()
    work(provider)
    assert (state(reservation), redis.zcard(DELAYED), len(provider.sent)) == ("uncertain", 0, 1)
    assert is_valid(make_codes())


def test_an_uncertain_text_is_sent_again_where_that_is_safe(enqueue, work, state, hurry) -> None:
    provider = ScriptedProvider(Outcome.UNCERTAIN, is_idempotent=True)
    reservation = enqueue()
    work(provider)
    hurry()
    work(provider)
    assert state(reservation) == "sent"
    assert [sms.job_id for sms in provider.sent] == [reservation.job_id] * 2


class IdempotentForADay(ScriptedProvider):
    """A provider that forgets its idempotency keys at midnight."""

    def repeats_safely(self, *, first_sent_at: datetime, at: datetime) -> bool:
        return first_sent_at.date() == at.date()


MIDNIGHT = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def handle_at(make_job_handler, stream_consumer) -> Callable[..., None]:
    """Handle the waiting job at a time of one's own."""

    def handle(provider: Any, at: datetime) -> None:
        [lease] = stream_consumer.lease(limit=1, wait_seconds=0.1)
        make_job_handler(provider, clock=lambda: at).handle(lease)

    return handle


def test_an_uncertain_text_is_sent_again_on_the_day_of_its_first_send(enqueue, handle_at, hurry, state) -> None:
    provider = IdempotentForADay(Outcome.UNCERTAIN)
    reservation = enqueue()
    handle_at(provider, MIDNIGHT + timedelta(hours=1))
    hurry()
    handle_at(provider, MIDNIGHT + timedelta(hours=2))
    assert (state(reservation), len(provider.sent)) == ("sent", 2)


def test_no_retry_is_planned_for_the_day_after_the_first_send(enqueue, handle_at, state) -> None:
    provider = IdempotentForADay(Outcome.UNCERTAIN)
    reservation = enqueue()
    handle_at(provider, MIDNIGHT - timedelta(seconds=1))
    assert state(reservation) == "uncertain"


def test_a_send_that_lasted_past_midnight_is_not_repeated(enqueue, handle_at, state) -> None:
    provider = IdempotentForADay(Outcome.UNCERTAIN)
    reservation = enqueue()
    handle_at(provider, MIDNIGHT)  # The provider's answer comes now, so the send began before.
    assert state(reservation) == "uncertain"


def test_a_retry_that_comes_after_the_day_of_the_first_send_is_given_up(
    enqueue, handle_at, hurry, state, redis: Redis
) -> None:
    provider = IdempotentForADay(Outcome.UNCERTAIN)
    reservation = enqueue()
    handle_at(provider, MIDNIGHT - timedelta(seconds=10))
    job = reservation.charged_keys[0]
    redis.hincrby(job, "first_sent_at", -30_000)
    hurry()
    handle_at(provider, MIDNIGHT + timedelta(seconds=20))
    assert (state(reservation), len(provider.sent)) == ("uncertain", 1)


def test_only_a_text_that_a_provider_accepted_counts_as_texted(enqueue, work) -> None:
    texted = TEXTED.labels("scripted", "CN")
    before = texted._value.get()
    enqueue()
    work(ScriptedProvider(Outcome.REFUSED_RECIPIENT))
    assert texted._value.get() == before
    enqueue()
    work(ScriptedProvider())
    assert texted._value.get() == before + 1


def test_a_job_of_a_worker_that_died_before_its_claim_is_sent_by_another(enqueue, redis, work, inbox: Inbox) -> None:
    enqueue()
    dead = RedisStreamConsumer(redis, reclaim_after_seconds=10)
    assert len(dead.lease(limit=1, wait_seconds=0.1)) == 1
    threading.Event().wait(0.1)
    assert work() == 1
    assert len(inbox.messages()) == 1


def test_a_job_of_a_worker_that_died_before_it_asked_a_provider_is_sent_by_another(
    enqueue, redis, work, make_job_states, state
) -> None:
    provider = ScriptedProvider()
    reservation = enqueue()
    dead = RedisStreamConsumer(redis, reclaim_after_seconds=10)
    [lease] = dead.lease(limit=1, wait_seconds=0.1)
    make_job_states().claim(lease.job)
    threading.Event().wait(0.1)
    assert work(provider) == 1
    assert (state(reservation), len(provider.sent)) == ("sent", 1)


def test_a_job_of_a_worker_that_died_while_sending_is_repeated_where_that_is_safe(
    enqueue, work, die_while_sending, state
) -> None:
    reservation = enqueue()
    die_while_sending(DiesAfterSending())
    provider = ScriptedProvider(is_idempotent=True)
    assert work(provider) == 1
    assert [sms.job_id for sms in provider.sent] == [reservation.job_id]
    assert state(reservation) == "sent"


def test_without_an_idempotency_key_a_crash_while_sending_texts_nobody_again(
    enqueue, work, die_while_sending, state
) -> None:
    reservation = enqueue()
    die_while_sending(DiesAfterSending())
    provider, other = ScriptedProvider(), ScriptedProvider(name="other")
    work(provider, other)
    assert (state(reservation), provider.sent, other.sent) == ("uncertain", [], [])


def test_a_requeue_that_a_crash_swallowed_is_repeated(enqueue, redis, work, make_job_states, state, hurry) -> None:
    provider = ScriptedProvider()
    reservation = enqueue()
    dead = RedisStreamConsumer(redis, reclaim_after_seconds=10)
    [lease] = dead.lease(limit=1, wait_seconds=0.1)
    jobs = make_job_states()
    jobs.claim(lease.job)
    redis.hset(reservation.charged_keys[0], mapping={"state": "retry", "attempt": 1})
    threading.Event().wait(0.1)
    work(provider)
    hurry()
    work(provider)
    assert (state(reservation), len(provider.sent)) == ("sent", 1)


def test_a_stopping_worker_finishes_what_it_has(
    enqueue, redis, make_job_handler, stream_consumer, make_worker_loop, state
) -> None:
    begun, released = threading.Event(), threading.Event()

    class SlowProvider(ScriptedProvider):
        def send_text(self, sms: OutgoingSms) -> ProviderAnswer:
            begun.set()
            released.wait(5)
            return super().send_text(sms)

    first = enqueue()
    worker = make_worker_loop(stream_consumer)
    thread = threading.Thread(target=worker.run, args=[make_job_handler(SlowProvider()).handle])
    thread.start()
    assert begun.wait(5)
    second = enqueue("+8613900139000")
    worker.stop()
    released.set()
    thread.join(5)
    assert (state(first), state(second)) == ("sent", "accepted")


@pytest.mark.parametrize("trouble", [DependencyUnavailable(), NotPublished(PublishFailure.BLOCKED)])
def test_a_worker_waits_for_redis_and_the_queue_and_gives_up_only_when_it_stops(trouble: Exception) -> None:
    stopping = threading.Event()
    retrying = retry_until(stopping)
    tries: list[int] = []

    def come_back() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise trouble
        return "here"

    def stay_away() -> None:
        raise trouble

    assert retrying(come_back) == "here"
    stopping.set()
    with pytest.raises(type(trouble)):
        retrying(stay_away)


REFUSALS_THAT_LET_OTHERS_TRY = [
    Outcome.REFUSED_CONFIG, Outcome.REFUSED_BUSY, Outcome.REFUSED_UNLISTED, Outcome.NOT_SENT,
]  # fmt: skip


@pytest.fixture
def send_in_order(make_job_handler, stream_consumer) -> Callable[..., None]:
    """Handle the waiting job with providers that are asked in the order given."""

    def send(*providers: ScriptedProvider, **changed: Any) -> None:
        sending = make_job_handler(*providers, order=[provider.name for provider in providers], **changed)
        for lease in stream_consumer.lease(limit=1, wait_seconds=0.1):
            sending.handle(lease)

    return send


@pytest.mark.parametrize("outcome", REFUSALS_THAT_LET_OTHERS_TRY)
def test_after_a_refusal_the_next_provider_texts_at_once(enqueue, send_in_order, state, outcome: Outcome) -> None:
    first, second = ScriptedProvider(outcome, name="first"), ScriptedProvider(name="second")
    reservation = enqueue()
    send_in_order(first, second)
    assert (len(first.sent), len(second.sent), state(reservation)) == (1, 1, "sent")


@pytest.mark.parametrize("outcome", sorted(set(Outcome) - set(REFUSALS_THAT_LET_OTHERS_TRY)))
def test_no_other_provider_is_asked_after_anything_else(enqueue, send_in_order, outcome: Outcome) -> None:
    first, second = ScriptedProvider(outcome, name="first"), ScriptedProvider(name="second")
    enqueue()
    send_in_order(first, second)
    assert (len(first.sent), second.sent) == (1, [])


def test_an_uncertain_text_is_repeated_by_its_own_provider_alone(enqueue, send_in_order, hurry, state) -> None:
    first = ScriptedProvider(Outcome.UNCERTAIN, is_idempotent=True, name="first")
    second = ScriptedProvider(name="second")
    reservation = enqueue()
    send_in_order(first, second)
    hurry()
    send_in_order(second, first)
    assert (len(first.sent), second.sent, state(reservation)) == (2, [], "sent")


@pytest.fixture
def send_until_it_ends(send_in_order, hurry, state) -> Callable[..., str]:
    """Handle the waiting job, attempt after attempt, and return its last state."""

    def send(reservation: Reservation, *providers: ScriptedProvider) -> str:
        for _ in range(5):
            send_in_order(*providers)
            hurry()
        return state(reservation)

    return send


HISTORIES = [
    *([Outcome.UNCERTAIN, outcome] for outcome in sorted(Outcome) if outcome.is_refusal),
    [Outcome.UNCERTAIN, *[Outcome.REFUSED_BUSY] * 3],
    [Outcome.UNCERTAIN, *[Outcome.NOT_SENT] * 3],
    [Outcome.REFUSED_BUSY, Outcome.UNCERTAIN, Outcome.REFUSED_BUSY, Outcome.REFUSED_CONFIG],
    [Outcome.UNCERTAIN, Outcome.UNCERTAIN, Outcome.REFUSED_RECIPIENT],
]


@pytest.mark.parametrize("history", HISTORIES, ids="-".join)
def test_whatever_a_repetition_brings_the_text_before_it_keeps_its_code_and_its_provider(
    enqueue, send_until_it_ends, make_codes, history: list[Outcome]
) -> None:
    tail = [Outcome.REFUSED_BUSY] * (4 - len(history))  # Else it would be accepted in the end.
    first = ScriptedProvider(*history, *tail, is_idempotent=True, name="first")
    second = ScriptedProvider(*[Outcome.REFUSED_BUSY] * history.index(Outcome.UNCERTAIN), name="second")
    reservation = enqueue()
    assert send_until_it_ends(reservation, first, second) == "uncertain"
    assert len(second.sent) == history.index(Outcome.UNCERTAIN)
    assert is_valid(make_codes())


@pytest.mark.parametrize("outcome", REFUSALS_THAT_LET_OTHERS_TRY)
def test_a_refused_repetition_after_a_crash_does_not_set_the_job_free(
    enqueue, die_while_sending, send_until_it_ends, make_codes, outcome: Outcome
) -> None:
    reservation = enqueue()
    die_while_sending(DiesAfterSending(name="first"))
    first, second = ScriptedProvider(*[outcome] * 4, is_idempotent=True, name="first"), ScriptedProvider(name="second")
    assert send_until_it_ends(reservation, first, second) == "uncertain"
    assert second.sent == []
    assert is_valid(make_codes())


def test_a_crash_between_answer_and_finish_forgets_no_unknown_result(
    enqueue, make_breaker_send, send_until_it_ends, make_job_states, redis: Redis
) -> None:
    reservation = enqueue()
    make_job_states().claim(job_of(reservation))
    make_breaker_send(reservation, Outcome.UNCERTAIN)
    assert redis.hget(reservation.charged_keys[0], "outcome") == "uncertain"
    first, second = ScriptedProvider(is_idempotent=False, name="first"), ScriptedProvider(name="second")
    assert send_until_it_ends(reservation, first, second) == "uncertain"
    assert (first.sent, second.sent) == ([], [])


@pytest.fixture
def make_breaker_send(redis: Redis) -> Callable[[Reservation, Outcome], None]:
    """Let provider ``first`` answer a job, without a worker that writes down the end."""

    def answer(reservation: Reservation, outcome: Outcome) -> None:
        breaker = CircuitBreaker(redis, {"first": Pace(sends_per_second=1000, parallel_sends=100)})
        send = Send(job_of(reservation), "first")
        breaker.acquire(send)
        breaker.record(send, ProviderAnswer(outcome))

    return answer


def test_a_provider_that_left_the_routes_leaves_its_uncertain_text_uncertain(
    enqueue, send_in_order, send_until_it_ends, hurry, make_codes
) -> None:
    reservation = enqueue()
    send_in_order(ScriptedProvider(Outcome.UNCERTAIN, is_idempotent=True, name="first"))
    hurry()
    second = ScriptedProvider(name="second")
    assert send_until_it_ends(reservation, second) == "uncertain"
    assert second.sent == []
    assert is_valid(make_codes())


def test_a_provider_that_cannot_be_called_in_time_leaves_its_uncertain_text_uncertain(
    enqueue, send_in_order, hurry, state, redis: Redis
) -> None:
    first = ScriptedProvider(Outcome.UNCERTAIN, is_idempotent=True, name="first")
    reservation = enqueue()
    send_in_order(first)
    hurry()
    redis.hset("sms:provider:first", "open_until", 9_999_999_999_999)
    job = reservation.charged_keys[0]
    redis.hincrby(job, "exp", -269_000)
    send_in_order(first)
    assert (state(reservation), redis.hget(job, "provider"), len(first.sent)) == ("uncertain", "first", 1)


def test_the_kill_switch_leaves_an_uncertain_text_uncertain(
    enqueue, send_in_order, hurry, state, redis: Redis, make_codes
) -> None:
    first = ScriptedProvider(Outcome.UNCERTAIN, is_idempotent=True, name="first")
    reservation = enqueue()
    send_in_order(first)
    hurry()
    KillSwitch(redis).turn_on("a wave")
    send_in_order(first)
    assert (state(reservation), len(first.sent)) == ("uncertain", 1)
    assert is_valid(make_codes())


def test_an_uncertain_text_whose_retry_comes_too_late_ends_as_uncertain_and_receipts_find_it(
    enqueue, send_in_order, hurry, state, redis: Redis, expiry_ms
) -> None:
    first = ScriptedProvider(Outcome.UNCERTAIN, is_idempotent=True, name="first")
    reservation = enqueue()
    send_in_order(first)
    hurry()
    job = reservation.charged_keys[0]
    expires_at = redis.hincrby(job, "exp", -280_000)
    send_in_order(first)
    assert (state(reservation), len(first.sent)) == ("uncertain", 1)
    assert expiry_ms(job) == pytest.approx(expires_at + 86_400_000, abs=50)
    assert redis.hexists(job, "mobile_sealed") is False


@pytest.mark.parametrize(("provider", "asked"), [("first", 1), (None, 0)])
def test_a_job_of_the_version_before_keeps_its_provider(
    enqueue, send_in_order, state, redis: Redis, make_codes, provider: str | None, asked: int
) -> None:
    reservation = enqueue()
    job = reservation.charged_keys[0]
    redis.hset(job, mapping={"state": "sending", "outcome": "uncertain"})  # A later refusal took the provider away.
    if provider:
        reserved_at = str(redis.hget(job, "reserved_at"))
        redis.hset(job, mapping={"state": "retry", "provider": provider, "first_sent_at": reserved_at})
    first = ScriptedProvider(Outcome.REFUSED_RECIPIENT, is_idempotent=True, name="first")
    second = ScriptedProvider(name="second")
    send_in_order(second, first)
    assert (len(first.sent), second.sent, state(reservation)) == (asked, [], "uncertain")
    assert is_valid(make_codes())


def test_a_late_refusal_does_not_undo_a_repetition_that_may_have_texted(
    enqueue, make_job_states, redis: Redis, state, make_codes
) -> None:
    reservation, jobs = enqueue(), make_job_states()
    job = job_of(reservation)
    breaker = CircuitBreaker(redis, {"first": Pace(sends_per_second=1000, parallel_sends=100)})
    jobs.claim(job)
    slow, repeated = Send(job, "first"), Send(job, "first", is_repetition=True)
    breaker.acquire(slow)
    breaker.acquire(repeated)
    breaker.record(repeated, ProviderAnswer(Outcome.REFUSED_BUSY))
    assert jobs.finish(job, Finish(FinishState.FAILED, "refused_recipient", "first")) == "uncertain"
    assert (state(reservation), redis.hget(reservation.charged_keys[0], "provider")) == ("uncertain", "first")
    assert is_valid(make_codes())


def test_after_refusals_by_all_the_next_attempt_may_begin_with_any(enqueue, send_in_order, hurry, state) -> None:
    first, second = (
        ScriptedProvider(Outcome.REFUSED_BUSY, name="first"),
        ScriptedProvider(Outcome.NOT_SENT, name="second"),
    )
    reservation = enqueue()
    send_in_order(first, second)
    assert state(reservation) == "retry"
    hurry()
    send_in_order(second, first)
    assert (len(first.sent), len(second.sent), state(reservation)) == (1, 2, "sent")


def test_a_worker_waits_for_a_busy_provider(enqueue, send_in_order, redis: Redis, state) -> None:
    provider = ScriptedProvider()
    now: Any = redis.time()
    redis.hset("sms:provider:scripted", mapping={"busy_until": now[0] * 1000 + now[1] // 1000 + 300})
    reservation = enqueue()
    send_in_order(provider)
    assert (len(provider.sent), state(reservation)) == (1, "sent")


def test_a_worker_that_stops_while_it_waits_texts_nobody_and_leaves_the_job(
    enqueue, send_in_order, work, redis: Redis, state
) -> None:
    provider, stopping = ScriptedProvider(), threading.Event()
    redis.hset("sms:provider:scripted", "open_until", 9_999_999_999_999)
    reservation = enqueue()
    stopping.set()
    with pytest.raises(DependencyUnavailable):
        send_in_order(provider, stopping=stopping)
    redis.delete("sms:provider:scripted")
    threading.Event().wait(0.1)
    work(provider)
    assert (len(provider.sent), state(reservation)) == (1, "sent")


def test_a_job_that_no_provider_may_take_in_time_fails_and_frees_the_person(
    enqueue, make_job_handler, stream_consumer, redis: Redis, state, make_codes
) -> None:
    provider = ScriptedProvider()
    redis.hset("sms:provider:scripted", "open_until", 9_999_999_999_999)
    reservation = enqueue()
    [lease] = stream_consumer.lease(limit=1, wait_seconds=0.1)
    redis.hset(reservation.charged_keys[0], "exp", int(redis.hget(reservation.charged_keys[0], "exp")) - 269_900)
    make_job_handler(provider).handle(lease)
    assert (provider.sent, state(reservation)) == ([], "failed")
    assert not is_valid(make_codes())


def test_a_country_without_a_route_is_not_texted(enqueue, make_job_handler, stream_consumer, state) -> None:
    provider = ScriptedProvider()
    reservation = enqueue()
    [lease] = stream_consumer.lease(limit=1, wait_seconds=0.1)
    make_job_handler(provider, routes={"US": {"scripted": 1}}).handle(lease)
    assert (provider.sent, state(reservation)) == ([], "retry")


def test_the_kill_switch_stops_what_waits_already(enqueue, work, state, redis: Redis, make_codes) -> None:
    provider = ScriptedProvider()
    reservation = enqueue()
    KillSwitch(redis).turn_on("a wave")
    assert work(provider) == 1
    assert (provider.sent, state(reservation)) == ([], "failed")
    assert not is_valid(make_codes())
    KillSwitch(redis).turn_off()
    assert enqueue().resend_after_seconds == 60  # As if the first one had never been.
