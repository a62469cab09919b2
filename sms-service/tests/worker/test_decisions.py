"""What a worker decides, without a broker, a provider or a clock."""

from typing import Any

import pytest

from chassis.mobiles import Mobile
from sms_service.codes.purposes import Purpose
from sms_service.providers.provider import Outcome
from sms_service.worker.decisions import End, Step, after_answer, after_claim
from sms_service.worker.job_states import Claim, ClaimedJob, ClaimReason, FinishState


def claimed(left_seconds: float = 200, provider: str = "scripted") -> ClaimedJob:
    return ClaimedJob(Mobile("+8613800138000"), "042619", Purpose.LOGIN, left_seconds, 0, provider=provider)


def decide(claim: Claim, *, repeats_safely: bool = False) -> Step:
    return after_claim(claim, repeats_safely=repeats_safely, useful_lifetime_seconds=30)


def end(outcome: Outcome, *, attempt: int = 0, repeats_safely: bool = False, **changed: Any) -> End:
    fields = {"was_uncertain": False, "left_seconds": 290} | changed
    return after_answer(
        outcome,
        attempt=attempt,
        repeats_safely=repeats_safely,
        useful_lifetime_seconds=30,
        **fields,
    )


def test_a_won_claim_is_sent() -> None:
    assert decide(Claim(ClaimReason.WON, claimed(provider=""))) is Step.SEND


def test_a_repetition_of_an_uncertain_text_needs_to_be_safe_when_its_turn_comes() -> None:
    assert decide(Claim(ClaimReason.WON, claimed()), repeats_safely=True) is Step.SEND
    assert decide(Claim(ClaimReason.WON, claimed()), repeats_safely=False) is Step.GIVE_UP


@pytest.mark.parametrize(
    "reason",
    sorted(set(ClaimReason) - {ClaimReason.WON, ClaimReason.SENDING, ClaimReason.REQUEUED}),
)
def test_a_lost_claim_is_dropped(reason: ClaimReason) -> None:
    assert decide(Claim(reason), repeats_safely=True) is Step.DROP


@pytest.mark.parametrize("reason", sorted(set(ClaimReason) - {ClaimReason.WON, ClaimReason.SENDING}))
def test_only_a_claim_that_was_granted_is_sent(reason: ClaimReason) -> None:
    assert decide(Claim(reason, claimed(provider=""))) is not Step.SEND


def test_a_lost_requeue_is_repeated() -> None:
    assert decide(Claim(ClaimReason.REQUEUED, attempt=1)) is Step.REQUEUE


def test_after_a_crash_a_job_is_sent_again_only_if_that_is_safe() -> None:
    claim = Claim(ClaimReason.SENDING, claimed())
    assert decide(claim, repeats_safely=True) is Step.SEND
    assert decide(claim, repeats_safely=False) is Step.GIVE_UP
    assert decide(Claim(ClaimReason.SENDING, claimed(left_seconds=29)), repeats_safely=True) is Step.GIVE_UP


def test_a_job_whose_worker_died_before_it_asked_a_provider_is_sent() -> None:
    assert decide(Claim(ClaimReason.SENDING, claimed(provider=""))) is Step.SEND
    assert decide(Claim(ClaimReason.SENDING, claimed(left_seconds=29, provider=""))) is Step.GIVE_UP


def test_accepted_is_sent() -> None:
    assert end(Outcome.ACCEPTED) == End(FinishState.SENT)


@pytest.mark.parametrize("outcome", [Outcome.REFUSED_RECIPIENT, Outcome.REFUSED_CONFIG, Outcome.REFUSED_UNLISTED])
def test_a_refusal_lets_the_person_ask_again(outcome: Outcome) -> None:
    assert end(outcome, repeats_safely=True) == End(FinishState.FAILED, releases_cooldown=True)


def test_a_providers_limit_is_respected() -> None:
    assert end(Outcome.REFUSED_LIMIT, repeats_safely=True) == End(FinishState.FAILED, releases_cooldown=False)


@pytest.mark.parametrize("outcome", [Outcome.REFUSED_BUSY, Outcome.NOT_SENT])
def test_what_was_not_taken_is_tried_four_times(outcome: Outcome) -> None:
    assert [end(outcome, attempt=attempt).delay_seconds for attempt in range(4)] == [2, 5, 15, None]
    assert end(outcome, attempt=3) == End(FinishState.FAILED, releases_cooldown=True)


def test_what_may_have_been_sent_is_sent_again_only_if_that_is_safe() -> None:
    assert end(Outcome.UNCERTAIN, repeats_safely=True) == End(FinishState.RETRY, delay_seconds=2)
    assert end(Outcome.UNCERTAIN, repeats_safely=False) == End(FinishState.UNCERTAIN)
    assert end(Outcome.UNCERTAIN, repeats_safely=True, attempt=3) == End(FinishState.UNCERTAIN)


REFUSALS = sorted(outcome for outcome in Outcome if outcome.is_refusal)


@pytest.mark.parametrize("outcome", REFUSALS)
def test_once_a_text_may_have_gone_out_no_refusal_lets_the_job_fail(outcome: Outcome) -> None:
    assert end(outcome, was_uncertain=True) == End(FinishState.UNCERTAIN)
    assert end(outcome, was_uncertain=True, repeats_safely=True, attempt=3) == End(FinishState.UNCERTAIN)


def test_a_busy_provider_that_may_have_texted_is_asked_again_only_if_that_is_safe() -> None:
    for outcome in (Outcome.REFUSED_BUSY, Outcome.NOT_SENT):
        assert end(outcome, was_uncertain=True, repeats_safely=True) == End(FinishState.RETRY, delay_seconds=2)
    assert end(Outcome.REFUSED_CONFIG, was_uncertain=True, repeats_safely=True) == End(FinishState.UNCERTAIN)


def test_no_retry_that_comes_too_late() -> None:
    assert end(Outcome.NOT_SENT, attempt=2, left_seconds=44).state is FinishState.FAILED
    assert end(Outcome.NOT_SENT, attempt=2, left_seconds=45).state is FinishState.RETRY
