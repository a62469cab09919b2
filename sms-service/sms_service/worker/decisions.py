"""What a worker does next, after a claim and after a provider's answer; decided without I/O."""

import enum
from dataclasses import dataclass

from sms_service.providers.provider import Outcome
from sms_service.queue.interface import RETRY_DELAYS_SECONDS
from sms_service.worker.job_states import Claim, ClaimReason, FinishState

_RETRIED = (Outcome.REFUSED_BUSY, Outcome.NOT_SENT, Outcome.UNCERTAIN)


class Step(enum.StrEnum):
    """What to do with a job after CLAIM; the values stand in logs."""

    SEND = "send"
    DROP = "drop"  # Another worker does it or has done it, or the text is not wanted any more.
    REQUEUE = "hand_over"  # Put the current attempt on the queue once more.
    GIVE_UP = "give_up"  # A text may have gone out; write that down and send none.


@dataclass(frozen=True)
class End:
    """How an attempt ends; ``delay_seconds`` is set when another attempt follows."""

    state: FinishState
    releases_cooldown: bool = False
    delay_seconds: int | None = None


def after_claim(claim: Claim, *, repeats_safely: bool, useful_lifetime_seconds: float) -> Step:
    """Decide what follows a claim. ``repeats_safely``: a second send of this job cannot text the user twice."""
    if claim.reason is ClaimReason.WON:
        return Step.SEND if claim.job is None or not claim.job.provider or repeats_safely else Step.GIVE_UP
    if claim.reason is ClaimReason.REQUEUED:
        return Step.REQUEUE
    if claim.reason is ClaimReason.SENDING and claim.job is not None:
        is_worth_it = claim.job.left_seconds >= useful_lifetime_seconds
        was_called = claim.job.provider != ""  # If not, the worker died before it could text.
        return Step.SEND if is_worth_it and (repeats_safely or not was_called) else Step.GIVE_UP
    return Step.DROP


def retry_delay_seconds(attempt: int) -> int | None:
    """Return the wait after attempt 0, 1 or 2; None after attempt 3, because a job has at most four sends."""
    return RETRY_DELAYS_SECONDS[attempt] if attempt < len(RETRY_DELAYS_SECONDS) else None


def after_answer(
    outcome: Outcome,
    *,
    was_uncertain: bool,
    attempt: int,
    repeats_safely: bool,
    left_seconds: float,
    useful_lifetime_seconds: float,
) -> End:
    """Decide how an attempt ends.

    ``was_uncertain``: an earlier send may have texted. Then a refusal of this one proves nothing, and the job ends as
    uncertain. ``repeats_safely`` is about a send after the next delay; without it, a text that may have gone out is
    never sent again. If nobody was texted, the user may request a new code at once, unless the provider's own limit
    refused.
    """
    if outcome is Outcome.ACCEPTED:
        return End(FinishState.SENT)
    delay = retry_delay_seconds(attempt)
    is_uncertain = was_uncertain or outcome is Outcome.UNCERTAIN
    may_repeat = repeats_safely or not is_uncertain
    if outcome in _RETRIED and may_repeat and delay and left_seconds - delay >= useful_lifetime_seconds:
        return End(FinishState.RETRY, delay_seconds=delay)
    if is_uncertain:
        return End(FinishState.UNCERTAIN)
    return End(FinishState.FAILED, releases_cooldown=outcome is not Outcome.REFUSED_LIMIT)
