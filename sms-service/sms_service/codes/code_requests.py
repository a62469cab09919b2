"""Requests for a code: captcha, limits, reservation, queue, and the promise that goes with each answer."""

import time
from dataclasses import dataclass
from urllib.parse import quote

from structlog import get_logger

from chassis.errors import (
    CaptchaExpired,
    CaptchaWrong,
    DependencyUnavailable,
    NotFound,
    RequestInvalid,
    SmsUnavailable,
    UpstreamTimeout,
    UpstreamUnavailable,
    XinjingError,
)
from chassis.service_client import ServiceClient
from chassis.tracing import current_request_id
from sms_service import metrics
from sms_service.codes.purposes import Purpose
from sms_service.codes.recipients import Recipient
from sms_service.codes.reservation import BudgetSpent, LimitReached, Reservation
from sms_service.codes.sms_codes import SmsCodes
from sms_service.codes.templates import Language
from sms_service.queue.interface import JobPublisher, NotPublished
from sms_service.queue.job import SendJob
from sms_service.routing.breaker import Reach


class Captchas:
    """The captchas of captcha-service, as their one caller here sees them."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def spend(self, captcha_id: str, text: str) -> None:
        """Use up a captcha that was answered rightly.

        Raises:
            CaptchaWrong: the answer is wrong; the captcha is used up all the same.
            CaptchaExpired: unknown, expired or used before.
            SmsUnavailable: captcha-service cannot say. We fail closed: no captcha, no text.
        """
        path = f"/internal/captchas/{quote(captcha_id, safe='')}/attempts"
        try:
            answer = self._client.call("POST", path, json={"text": text})
        except (NotFound, RequestInvalid) as error:  # An id or a text that no captcha can have.
            raise CaptchaExpired from error
        except (UpstreamTimeout, UpstreamUnavailable, DependencyUnavailable) as error:
            raise SmsUnavailable from error
        if answer != {"passed": True}:
            raise CaptchaWrong


log = get_logger(__name__)
_DOWN_SECONDS = 30


@dataclass(frozen=True)
class Wish:
    """What is asked for: ``captcha`` is its id and the answer, ``subject`` is empty or the user's id."""

    recipient: Recipient
    purpose: Purpose
    captcha: tuple[str, str]
    subject: str
    ip: str
    language: Language


class CodeRequests:
    """Has codes texted. An answer without an error means: a code is valid and its text is on its way."""

    def __init__(self, captchas: Captchas, codes: SmsCodes, publisher: JobPublisher, reach: Reach) -> None:
        self._reach = reach
        self._captchas = captchas
        self._codes = codes
        self._publisher = publisher

    def ask(self, wish: Wish) -> Reservation:
        """Have a code texted, or make a test number's code valid, and return what is reserved for it.

        Raises:
            CaptchaWrong, CaptchaExpired: and the captcha is used up.
            LimitReached: too soon or too often.
            SmsUnavailable: no valid code exists and none will be texted; `BudgetSpent` if there were too many texts.
        """
        try:
            reservation = self._ask(wish)
        except (LimitReached, BudgetSpent) as error:
            metrics.LIMITS.labels(error.limit).inc()
            metrics.REQUESTS.labels(error.code).inc()
            raise
        except XinjingError as error:
            metrics.REQUESTS.labels(error.code).inc()
            raise
        metrics.REQUESTS.labels("accepted").inc()
        return reservation

    def _ask(self, wish: Wish) -> Reservation:
        try:
            if wish.recipient.fixed_code is None and not self._reach.reaches(wish.recipient.country):
                raise SmsUnavailable(retry_after_seconds=_DOWN_SECONDS)
            self._captchas.spend(*wish.captcha)
            reservation = self._codes.reserve(
                wish.recipient.mobile,
                wish.purpose,
                subject=wish.subject,
                ip=wish.ip,
                language=wish.language,
                fixed_code=wish.recipient.fixed_code,
            )
            watch_budgets(reservation)
            if reservation.has_text:
                self._send(reservation)
            else:
                self._commit(reservation)
        except DependencyUnavailable as error:
            # Before RESERVE nothing is valid. After it neither COMMIT nor ABORT can be known to have run; the
            # claim window bounds how long a text may still follow.
            raise SmsUnavailable from error
        return reservation

    def _send(self, reservation: Reservation) -> None:
        job = SendJob(
            id=reservation.job_id,
            mobile_hash=reservation.mobile_hash,
            attempt=0,
            exp=reservation.expires_at,
            request_id=current_request_id(),
        )
        begun_at = time.perf_counter()
        try:
            self._publisher.publish(job)
        except NotPublished as error:
            metrics.PUBLISHES.labels(error.failure.value).inc()
            self._abort(reservation, error)
            return
        metrics.PUBLISHES.labels("ack").inc()
        metrics.PUBLISH_SECONDS.observe(time.perf_counter() - begun_at)
        self._commit(reservation)

    def _commit(self, reservation: Reservation) -> None:
        state = self._codes.commit(reservation)
        log.info("code_accepted", job=reservation.job_id, purpose=reservation.purpose.value, state=state)
        if state in ("aborted", "gone"):  # A worker met the job after its claim window, or Redis lost it.
            raise SmsUnavailable

    def _abort(self, reservation: Reservation, error: NotPublished) -> None:
        state = self._codes.abort(reservation)
        was_aborted = state in ("aborted", "gone")
        metrics.ABORTS.labels("abort" if was_aborted else "claim").inc()
        log.warning("publish_failed", job=reservation.job_id, failure=error.failure.value, state=state)
        if was_aborted:
            raise SmsUnavailable from error


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
