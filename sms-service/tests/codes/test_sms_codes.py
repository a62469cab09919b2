"""The state machine in Redis: limits, races, and what makes a code valid."""

import re
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

import sms_service
from chassis.errors import DependencyUnavailable, SmsCodeExpired
from chassis.mobiles import Mobile
from chassis.redis_client import connect_redis
from sms_service.codes.purposes import Purpose
from sms_service.codes.reservation import LimitReached, Reservation
from sms_service.codes.sms_codes import SmsCodes, random_code
from sms_service.queue.job import SendJob
from sms_service.worker.job_states import ClaimReason, Finish, FinishState, JobStates

MOBILE = Mobile("+8613800138000")
CODE = "042619"


def job_of(reservation: Reservation, attempt: int = 0) -> SendJob:
    return SendJob(reservation.job_id, reservation.mobile_hash, attempt, reservation.expires_at, "request-1")


def reserve(codes: SmsCodes, mobile: str = MOBILE, *, ip: str = "192.0.2.1", **more: Any) -> Reservation:
    purpose = more.get("purpose", Purpose.LOGIN)
    return codes.reserve(Mobile(mobile), purpose, subject=more.get("subject", ""), ip=ip)


def is_valid(codes: SmsCodes, code: str = CODE) -> bool:
    """Try the code, which uses it up."""
    try:
        return codes.check(MOBILE, Purpose.LOGIN, code=code, subject="").is_right
    except SmsCodeExpired:
        return False


def sent(state: FinishState = FinishState.SENT, **more: Any) -> Finish:
    return Finish(state, outcome="any", provider="test", **more)


@pytest.fixture
def codes(make_codes: Callable[..., SmsCodes]) -> SmsCodes:
    return make_codes()


@pytest.fixture
def jobs(make_job_states: Callable[..., JobStates]) -> JobStates:
    return make_job_states()


def test_T1_codes_are_drawn_evenly_from_the_systems_random_source() -> None:
    drawn = [random_code() for _ in range(10_000)]
    assert all(re.fullmatch("[0-9]{6}", code) for code in drawn)
    for place in range(6):
        counts = Counter(code[place] for code in drawn)
        chi_square = sum((counts[digit] - 1000) ** 2 / 1000 for digit in "0123456789")
        assert chi_square < 45, "nine degrees of freedom: one even draw in a million is so uneven"
    package = Path(sms_service.__file__).parent
    modules = {path.relative_to(package).as_posix(): path.read_text() for path in package.rglob("*.py")}
    drawing = {name for name, text in modules.items() if re.search("^(import|from) random", text, re.M)}
    pauses_and_providers = {"routing/routes.py", "routing/dispatcher.py", "queue/rabbitmq/channel.py"}
    assert drawing <= pauses_and_providers, "nothing else draws from a predictable source"


def test_T4_a_code_dies_with_its_life(codes: SmsCodes, redis: Redis) -> None:
    reservation = reserve(codes)
    codes.commit(reservation)
    seconds, microseconds = redis.time()
    now = seconds * 1000 + microseconds // 1000
    redis.hset(reservation.charged_keys[0], "exp", now - 1)
    assert not is_valid(codes)
    redis.hset(reservation.charged_keys[0], "exp", now + 60_000)
    assert is_valid(codes)


def test_a_reserved_code_is_not_valid(codes: SmsCodes) -> None:
    reserve(codes)
    assert not is_valid(codes)


def test_a_committed_code_is_valid(codes: SmsCodes) -> None:
    assert codes.commit(reserve(codes)) == "committed"
    assert is_valid(codes)


def test_an_aborted_code_is_never_valid_nor_sent(codes: SmsCodes, jobs: JobStates) -> None:
    reservation = reserve(codes)
    assert codes.abort(reservation) == "aborted"
    assert codes.commit(reservation) == "aborted"
    assert jobs.claim(job_of(reservation)).reason is ClaimReason.ABORTED
    assert not is_valid(codes)


def test_an_aborted_job_keeps_nothing_of_its_code(codes: SmsCodes, redis: Redis) -> None:
    reservation = reserve(codes)
    codes.abort(reservation)
    kept: Any = redis.hgetall(reservation.charged_keys[0])
    assert not {"code_digest", "code_sealed", "mobile_sealed"} & set(kept)
    assert kept["state"] == "aborted"


def test_a_job_that_redis_lost_is_neither_committed_nor_aborted(codes: SmsCodes, redis: Redis) -> None:
    reservation = reserve(codes)
    redis.delete(reservation.charged_keys[0])
    assert codes.commit(reservation) == "gone"
    assert codes.abort(reservation) == "gone"
    assert redis.keys("sms:otp:*") == redis.keys("sms:job:*") == []


def test_a_claim_before_the_commit_makes_the_code_valid(codes: SmsCodes, jobs: JobStates) -> None:
    reservation = reserve(codes)
    claim = jobs.claim(job_of(reservation))
    assert claim.reason is ClaimReason.WON
    assert claim.job is not None
    assert (claim.job.mobile, claim.job.code, claim.job.purpose) == (MOBILE, CODE, Purpose.LOGIN)
    assert 299 <= claim.job.left_seconds <= 300
    assert codes.abort(reservation) == "sending"
    assert codes.commit(reservation) == "sending"
    assert is_valid(codes)


def test_a_job_that_nobody_committed_is_claimed_within_the_window_only(codes, make_job_states) -> None:
    reservation = reserve(codes)
    threading.Event().wait(0.005)  # Redis has its own clock.
    jobs = make_job_states(claim_window_seconds=0.001)
    assert jobs.claim(job_of(reservation)).reason is ClaimReason.LATE
    assert codes.commit(reservation) == "aborted"
    assert not is_valid(codes)


def test_a_text_that_would_come_too_late_is_not_sent(codes, make_job_states, redis: Redis) -> None:
    reservation = reserve(codes)
    codes.commit(reservation)
    assert make_job_states(useful_lifetime_seconds=301).claim(job_of(reservation)).reason is ClaimReason.EXPIRED
    assert redis.hget(reservation.charged_keys[0], "code_sealed") is None


def test_a_job_that_redis_lost_is_not_sent(jobs: JobStates) -> None:
    assert jobs.claim(SendJob("a", "b", 0, 0, "r")).reason is ClaimReason.GONE


def test_a_burnt_code_is_not_texted(codes: SmsCodes, jobs: JobStates) -> None:
    reservation = reserve(codes)
    codes.commit(reservation)
    for _ in range(5):
        assert not is_valid(codes, "000000")
    assert jobs.claim(job_of(reservation)).reason is ClaimReason.SPENT
    assert not is_valid(codes)


def test_T10_a_newer_code_takes_the_place_of_an_older_one(make_codes, jobs: JobStates, redis: Redis) -> None:
    codes = make_codes()
    older = reserve(codes)
    codes.commit(older)
    redis.delete(older.charged_keys[1])
    newer = reserve(codes)
    codes.commit(newer)
    assert jobs.claim(job_of(older)).reason is ClaimReason.SUPERSEDED
    assert jobs.claim(job_of(newer)).reason is ClaimReason.WON
    assert is_valid(codes)


def test_an_aborted_request_leaves_the_older_code_valid(codes: SmsCodes, redis: Redis) -> None:
    older = reserve(codes)
    codes.commit(older)
    redis.delete(older.charged_keys[1])
    codes.abort(reserve(codes))
    assert is_valid(codes)


def test_a_late_abort_leaves_the_cooldown_of_a_newer_request(codes: SmsCodes, redis: Redis) -> None:
    older = reserve(codes)
    redis.delete(older.charged_keys[1])
    newer = reserve(codes)
    codes.abort(older)
    assert redis.get(newer.charged_keys[1]) == newer.job_id


def test_a_late_failure_of_an_older_job_leaves_the_newer_code_valid(codes: SmsCodes, jobs: JobStates, redis) -> None:
    older = reserve(codes)
    codes.commit(older)
    jobs.claim(job_of(older))
    redis.delete(older.charged_keys[1])
    newer = reserve(codes)
    codes.commit(newer)
    assert jobs.finish(job_of(older), sent(FinishState.FAILED, releases_cooldown=True)) == "finished"
    assert redis.get(newer.charged_keys[1]) == newer.job_id
    assert is_valid(codes)


def test_a_code_that_becomes_valid_during_a_check_is_the_one_that_is_checked(
    codes: SmsCodes, keys, make_settings, redis: Redis, redis_url: str
) -> None:
    older = reserve(codes)
    codes.commit(older)
    redis.delete(older.charged_keys[1])
    newer = reserve(codes)

    class OvertakenRedis(Redis):
        def get(self, name: str) -> Any:
            found = super().get(name)
            codes.commit(newer)
            return found

    with OvertakenRedis.from_url(redis_url, decode_responses=True) as overtaken:
        checking = SmsCodes(overtaken, keys, make_settings())
        assert checking.check(MOBILE, Purpose.LOGIN, code=CODE, subject="").is_right
    assert redis.hget(newer.charged_keys[0], "code_digest") is None


def test_a_crashed_text_is_not_repeated_when_a_newer_code_is_the_valid_one(make_codes, jobs: JobStates, redis) -> None:
    codes = make_codes()
    older = codes.reserve(MOBILE, Purpose.LOGIN, subject="", ip="192.0.2.1")
    codes.commit(older)
    assert jobs.claim(job_of(older)).reason is ClaimReason.WON
    redis.delete(older.charged_keys[1])
    newer = codes.reserve(MOBILE, Purpose.LOGIN, subject="", ip="192.0.2.1")
    codes.commit(newer)
    assert jobs.claim(job_of(older)).reason is ClaimReason.SUPERSEDED
    assert jobs.claim(job_of(newer)).reason is ClaimReason.WON


def test_only_one_of_two_claims_wins(codes: SmsCodes, jobs: JobStates) -> None:
    reservation = reserve(codes)
    codes.commit(reservation)
    with ThreadPoolExecutor(8) as pool:
        reasons = list(pool.map(lambda _: jobs.claim(job_of(reservation)).reason, range(8)))
    assert sorted(reasons) == sorted([ClaimReason.WON] + [ClaimReason.SENDING] * 7)


def test_a_retry_is_claimed_as_the_next_attempt(codes: SmsCodes, jobs: JobStates) -> None:
    reservation = reserve(codes)
    codes.commit(reservation)
    jobs.claim(job_of(reservation))
    assert jobs.finish(job_of(reservation), sent(FinishState.RETRY)) == "finished"
    repeated = jobs.claim(job_of(reservation))
    assert (repeated.reason, repeated.attempt) == (ClaimReason.REQUEUED, 1)
    assert jobs.claim(job_of(reservation, 1)).reason is ClaimReason.WON
    assert jobs.claim(job_of(reservation)).reason is ClaimReason.STALE


def test_a_code_works_while_its_text_is_tried_again(codes: SmsCodes, jobs: JobStates) -> None:
    reservation = reserve(codes)
    codes.commit(reservation)
    jobs.claim(job_of(reservation))
    jobs.finish(job_of(reservation), sent(FinishState.RETRY))
    assert is_valid(codes)


def test_a_refused_text_takes_its_code_and_cooldown_away(codes: SmsCodes, jobs: JobStates) -> None:
    reservation = reserve(codes)
    codes.commit(reservation)
    jobs.claim(job_of(reservation))
    jobs.finish(job_of(reservation), sent(FinishState.FAILED, releases_cooldown=True))
    assert not is_valid(codes)
    assert reserve(codes)


def test_a_providers_limit_keeps_the_cooldown(codes: SmsCodes, jobs: JobStates) -> None:
    reservation = reserve(codes)
    codes.commit(reservation)
    jobs.claim(job_of(reservation))
    jobs.finish(job_of(reservation), sent(FinishState.FAILED))
    with pytest.raises(LimitReached):
        reserve(codes)


def test_a_late_sent_corrects_uncertain_and_never_the_other_way(codes: SmsCodes, jobs: JobStates) -> None:
    reservation = reserve(codes)
    codes.commit(reservation)
    job = job_of(reservation)
    jobs.claim(job)
    assert jobs.finish(job, sent(FinishState.UNCERTAIN)) == "finished"
    assert jobs.finish(job, sent()) == "finished"
    assert jobs.finish(job, sent(FinishState.UNCERTAIN)) == "sent"
    assert jobs.finish(job, sent(FinishState.FAILED)) == "sent"
    assert is_valid(codes)


def test_a_finished_job_keeps_neither_code_nor_mobile(codes: SmsCodes, jobs: JobStates, redis: Redis) -> None:
    reservation = reserve(codes)
    codes.commit(reservation)
    jobs.claim(job_of(reservation))
    jobs.finish(job_of(reservation), sent())
    kept: Any = redis.hgetall(reservation.charged_keys[0])
    assert not {"code_sealed", "mobile_sealed"} & set(kept)
    assert kept["state"] == "sent"


def test_an_unfinished_job_is_kept_for_a_minute_after_its_code(codes: SmsCodes, redis: Redis, expiry_ms) -> None:
    [job, *_] = reserve(codes).charged_keys
    assert expiry_ms(job) == pytest.approx(int(redis.hget(job, "exp")) + 60_000, abs=50)


@pytest.mark.parametrize("state", [FinishState.SENT, FinishState.FAILED, FinishState.UNCERTAIN])
def test_a_finished_job_is_kept_for_a_day_after_its_code(
    codes: SmsCodes, jobs: JobStates, redis: Redis, expiry_ms, state: FinishState
) -> None:
    reservation = reserve(codes)
    jobs.claim(job_of(reservation))
    jobs.finish(job_of(reservation), sent(state, provider_id="the-message"))
    job = reservation.charged_keys[0]
    day_later = int(redis.hget(job, "exp")) + 86_400_000
    assert expiry_ms(job) == pytest.approx(day_later, abs=50)
    assert expiry_ms("sms:ref:test:the-message") == pytest.approx(day_later, abs=50)


def test_everything_in_redis_expires(codes: SmsCodes, jobs: JobStates, redis: Redis) -> None:
    reservation = reserve(codes)
    codes.commit(reservation)
    jobs.claim(job_of(reservation))
    jobs.finish(job_of(reservation), sent())
    assert {key: redis.ttl(key) > 0 for key in redis.keys("sms:*")} == dict.fromkeys(redis.keys("sms:*"), True)


@pytest.mark.parametrize(
    ("limits", "limit", "wait_seconds"),
    [
        ({}, "resend_interval", 60),
        ({"sends_per_mobile_per_hour": 1}, "mobile_hour", 3600),
        ({"sends_per_mobile_per_day": 1}, "mobile_day", 86400),
        ({"sends_per_ip_per_hour": 1, "pumping_retry_seconds": 3600}, "ip_hour", 3600),
        ({"sends_per_ip_per_day": 1}, "ip_day", 86400),
    ],
)
def test_each_limit_refuses_and_says_how_long(make_codes, limits, limit: str, wait_seconds: int) -> None:
    codes = make_codes(**limits)
    reserve(codes)
    with pytest.raises(LimitReached) as refused:
        reserve(codes)
    assert refused.value.limit == limit
    assert wait_seconds - 2 <= refused.value.retry_after_seconds <= wait_seconds


def test_a_refused_request_is_not_charged(make_codes, redis: Redis) -> None:
    codes = make_codes(sends_per_ip_per_hour=1)
    first = reserve(codes)
    with pytest.raises(LimitReached):
        reserve(codes, "+8613900139000")
    assert redis.zcard(first.charged_keys[3]) == 1
    assert len(redis.keys("sms:job:*")) == 1


def test_the_cooldown_is_per_purpose_and_the_counts_are_not(make_codes) -> None:
    codes = make_codes(sends_per_mobile_per_hour=2)
    reserve(codes, purpose=Purpose.LOGIN)
    reserve(codes, purpose=Purpose.REGISTER)
    with pytest.raises(LimitReached) as refused:
        reserve(codes, purpose=Purpose.RESET_PASSWORD)
    assert refused.value.limit == "mobile_hour"


def test_an_ipv6_client_is_counted_by_its_network(make_codes) -> None:
    codes = make_codes(sends_per_ip_per_hour=1)
    reserve(codes, "+8613800138000", ip="2001:db8:1:2::1")
    with pytest.raises(LimitReached):
        reserve(codes, "+8613900139000", ip="2001:db8:1:2:ffff::9")
    assert reserve(codes, "+8613900139000", ip="2001:db8:1:3::1")
    assert reserve(codes, "+8613700137000", ip="::ffff:192.0.2.7")
    with pytest.raises(LimitReached):
        reserve(codes, "+8613600136000", ip="192.0.2.7")


def test_an_abort_gives_everything_back(make_codes) -> None:
    codes = make_codes(sends_per_mobile_per_day=1, sends_per_ip_per_day=1)
    codes.abort(reserve(codes))
    assert reserve(codes)


def test_T2_one_right_code_is_accepted_once_by_50_threads(codes: SmsCodes) -> None:
    codes.commit(reserve(codes))
    with ThreadPoolExecutor(50) as pool:
        results = list(pool.map(lambda _: is_valid(codes), range(50)))
    assert results.count(True) == 1


def test_T3_50_wrong_guesses_are_tried_five_times_at_most(codes: SmsCodes, redis: Redis) -> None:
    reservation = reserve(codes)
    codes.commit(reservation)
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(lambda guess: is_valid(codes, f"{guess:06d}"), range(50)))
    assert redis.hget(reservation.charged_keys[0], "tries") == "5"
    assert not is_valid(codes)


def test_another_subject_counts_no_try(codes: SmsCodes, redis: Redis) -> None:
    reservation = reserve(codes, purpose=Purpose.CHANGE_MOBILE, subject="7")
    codes.commit(reservation)
    for subject in ("", "8"):
        with pytest.raises(SmsCodeExpired):
            codes.check(MOBILE, Purpose.CHANGE_MOBILE, code=CODE, subject=subject)
    assert codes.check(MOBILE, Purpose.CHANGE_MOBILE, code=CODE, subject="7").is_right


def test_without_redis_everything_fails_closed(keys, make_settings) -> None:
    away = SmsCodes(connect_redis("redis://127.0.0.1:9"), keys, make_settings())
    with pytest.raises(DependencyUnavailable):
        reserve(away)
    with pytest.raises(DependencyUnavailable):
        is_valid(away)


STEPS = ["commit", "abort", "claim 0", "claim 1", "sent", "failed", "retry", "uncertain"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(STEPS), max_size=8))
def test_a_code_is_valid_if_and_only_if_commit_or_claim_won(redis, codes, jobs, steps: list[str]) -> None:
    redis.flushall()
    reservation = reserve(codes)
    job = job_of(reservation)
    answers: list[tuple[str, str]] = []
    for step in steps:
        if step == "commit":
            answers.append((step, codes.commit(reservation)))
        elif step == "abort":
            answers.append((step, codes.abort(reservation)))
        elif step.startswith("claim"):
            answers.append((step, jobs.claim(replace(job, attempt=int(step[-1]))).reason.value))
        else:
            attempt = int(redis.hget(reservation.charged_keys[0], "attempt"))
            answers.append((step, jobs.finish(replace(job, attempt=attempt), sent(FinishState(step)))))
    committed, aborted = ("commit", "committed") in answers, ("abort", "aborted") in answers
    claims = [answer for answer in answers if answer[0].startswith("claim") and answer[1] == "won"]
    failed = ("failed", "finished") in answers
    assert not (aborted and (committed or claims))
    assert len(claims) == len(set(claims))
    assert is_valid(codes) == ((committed or bool(claims)) and not failed)
    assert not is_valid(codes)
