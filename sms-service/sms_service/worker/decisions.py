"""What a worker does next, decided without doing it: after a claim, and after a provider's answer."""

import enum
from dataclasses import dataclass

from sms_service.providers.provider import Outcome
from sms_service.queue.interface import RETRY_DELAYS_SECONDS
from sms_service.worker.job_states import Claim, ClaimReason, FinishState

_TRIED_AGAIN = (Outcome.REFUSED_BUSY, Outcome.NOT_SENT, Outcome.UNCERTAIN)


class Step(enum.Enum):
    """What to do with a job after CLAIM."""

    SEND = enum.auto()
    DROP = enum.auto()  # Somebody else did or does it, or nobody should.
    HAND_OVER = enum.auto()  # Put the current attempt on the queue once more.
    GIVE_UP = enum.auto()  # A text may have gone out; write that down and send none.


@dataclass(frozen=True)
class End:
    """How an attempt ends; ``delay_seconds`` is set when another attempt follows."""

    state: FinishState
    releases_cooldown: bool = False
    delay_seconds: int | None = None


def after_claim(claim: Claim, *, repeats_safely: bool, useful_lifetime_seconds: float) -> Step:
    """Decide what follows a claim. ``repeats_safely``: a second send of this job cannot text the person twice."""
    if claim.reason is ClaimReason.WON:
        return Step.SEND if claim.claimed is None or not claim.claimed.provider or repeats_safely else Step.GIVE_UP
    if claim.reason is ClaimReason.HANDED_OVER:
        return Step.HAND_OVER
    if claim.reason is ClaimReason.SENDING and claim.claimed is not None:
        is_worth_it = claim.claimed.left_seconds >= useful_lifetime_seconds
        was_asked = claim.claimed.provider != ""  # Else its worker died before it could text.
        return Step.SEND if is_worth_it and (repeats_safely or not was_asked) else Step.GIVE_UP
    return Step.DROP


def retry_delay_seconds(attempt: int) -> int | None:
    """Return the wait after attempt 0, 1 or 2; None after attempt 3, as four sends per job are the most."""
    return RETRY_DELAYS_SECONDS[attempt] if attempt < len(RETRY_DELAYS_SECONDS) else None


def after_answer(
    outcome: Outcome, *, attempt: int, repeats_safely: bool, left_seconds: float, useful_lifetime_seconds: float
) -> End:
    """Decide how an attempt ends (note of the SMS service, sections 2 and 6).

    ``repeats_safely`` speaks of a send after the next delay. A text that may have gone out is never sent again
    without it. A refusal frees the person to ask again at once, unless the refusal is the provider's own limit.
    """
    if outcome is Outcome.ACCEPTED:
        return End(FinishState.SENT)
    delay = retry_delay_seconds(attempt)
    may_repeat = repeats_safely or outcome is not Outcome.UNCERTAIN
    if outcome in _TRIED_AGAIN and may_repeat and delay and left_seconds - delay >= useful_lifetime_seconds:
        return End(FinishState.RETRY, delay_seconds=delay)
    if outcome is Outcome.UNCERTAIN:
        return End(FinishState.UNCERTAIN)
    return End(FinishState.FAILED, releases_cooldown=outcome is not Outcome.REFUSED_LIMIT)
