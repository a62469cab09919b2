"""Tells operators how much of the budgets is used, in metrics and in three warnings a day."""

from structlog import get_logger

from sms_service import metrics
from sms_service.codes.reservation import Reservation

log = get_logger(__name__)


def watch_budgets(reservation: Reservation) -> None:
    """Report what the budgets look like after one more reservation; its script says when a warning is due."""
    use = reservation.use
    if use is None:
        return
    metrics.BUDGET_USED.labels("minute").set(use.minute_share)
    metrics.BUDGET_USED.labels("day").set(use.day_share)
    metrics.UNVERIFIED.labels(reservation.country).set(use.unverified_share)
    if use.warns_at is not None:
        log.warning("sms_budget_used", budget="day", percent=use.warns_at)
