"""Step-up: what can take an account over needs a proof of identity that is minutes old, not days."""

from datetime import datetime

from chassis.errors import StepUpRequired
from chassis.identity import current_caller


def require_fresh_proof(now: datetime) -> None:
    """Let the request in hand pass if its user proved who they are within `StepUpRequired.MAX_AGE_SECONDS`.

    Raises:
        StepUpRequired: the proof is older, as ``auth_time`` of the session's tokens says.
    """
    proved_at = current_caller().auth_time
    if proved_at is None or now.timestamp() - proved_at > StepUpRequired.MAX_AGE_SECONDS:
        raise StepUpRequired
