"""Requests for a code: captcha, limits, reservation and queue, in this order."""

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
from chassis.tracing import current_request_id, trace_headers
from sms_service import metrics
from sms_service.codes.purposes import Language, Purpose
from sms_service.codes.recipients import Recipient
from sms_service.codes.reservation import BudgetSpent, LimitReached, Reservation
from sms_service.codes.sms_codes import SmsCodes
from sms_service.queue.interface import JobPublisher, NotPublished
from sms_service.queue.job import SendJob
from sms_service.routing.deliverability import Deliverability

log = get_logger(__name__)


@dataclass(frozen=True)
class CaptchaClient:
    """Asks captcha-service whether a captcha was answered."""

    client: ServiceClient

    def verify(self, captcha_id: str, text: str) -> None:
        """Check the answer to a captcha, which is used up by this.

        Raises:
            CaptchaWrong: the answer is wrong; the captcha is used up all the same.
            CaptchaExpired: unknown, expired or used before.
            SmsUnavailable: captcha-service cannot say. We fail closed: without a captcha nobody is texted.
        """
        path = f"/internal/captchas/{quote(captcha_id, safe='')}/attempts"
        try:
            answer = self.client.call("POST", path, json={"text": text})
        except (NotFound, RequestInvalid) as error:  # An id or a text that no captcha can have.
            raise CaptchaExpired from error
        except (UpstreamTimeout, UpstreamUnavailable, DependencyUnavailable) as error:
            raise SmsUnavailable from error
        if answer != {"passed": True}:
            raise CaptchaWrong


@dataclass(frozen=True, kw_only=True)
class CodeRequest:
    """One request for a code; ``subject`` is empty or the user's id."""

    recipient: Recipient
    purpose: Purpose
    captcha_id: str
    captcha_text: str
    subject: str
    ip: str
    language: Language


@dataclass(frozen=True, kw_only=True)
class CodeRequests:
    """Accepts requests for codes. An answer without an error means: a code is valid, and its job is on the queue."""

    captchas: CaptchaClient
    codes: SmsCodes
    publisher: JobPublisher
    deliverability: Deliverability

    def request(self, code_request: CodeRequest) -> Reservation:
        """Have a code texted, or make a test number's code valid, and return its reservation.

        Raises:
            CaptchaWrong, CaptchaExpired: and the captcha is used up.
            LimitReached: too soon or too often.
            SmsUnavailable: no valid code exists and none will be texted; `BudgetSpent` if there were too many texts.
        """
        try:
            reservation = self._reserve_and_publish(code_request)
        except XinjingError as error:
            if isinstance(error, LimitReached | BudgetSpent):
                metrics.LIMITS.labels(error.limit).inc()
            metrics.REQUESTS.labels(error.code).inc()
            raise
        metrics.REQUESTS.labels("accepted").inc()
        return reservation

    def _reserve_and_publish(self, code_request: CodeRequest) -> Reservation:
        recipient = code_request.recipient
        try:
            if recipient.fixed_code is None:
                self.deliverability.check(recipient.country)
            self.captchas.verify(code_request.captcha_id, code_request.captcha_text)
            reservation = self.codes.reserve(
                recipient.mobile,
                code_request.purpose,
                subject=code_request.subject,
                ip=code_request.ip,
                language=code_request.language,
                fixed_code=recipient.fixed_code,
            )
            report_budget_use(reservation)
            if reservation.has_text:
                self._publish(reservation)
            else:
                self._commit(reservation)
        except DependencyUnavailable as error:
            # Before RESERVE nothing is valid. After it nobody knows whether COMMIT or ABORT has run; a worker may
            # still text the code, but only until the claim window is over.
            raise SmsUnavailable from error
        return reservation

    def _publish(self, reservation: Reservation) -> None:
        job = SendJob(
            id=reservation.job_id,
            mobile_hash=reservation.mobile_hash,
            attempt=0,
            exp=reservation.expires_at,
            request_id=current_request_id(),
            traceparent=trace_headers().get("traceparent", ""),
        )
        begun_at = time.perf_counter()
        try:
            self.publisher.publish(job)
        except NotPublished as error:
            metrics.PUBLISHES.labels(error.failure.value).inc()
            self._abort(reservation, error)
            return
        metrics.PUBLISHES.labels("ack").inc()
        metrics.PUBLISH_SECONDS.observe(time.perf_counter() - begun_at)
        self._commit(reservation)

    def _commit(self, reservation: Reservation) -> None:
        state = self.codes.commit(reservation)
        log.info("code_accepted", job=reservation.job_id, purpose=reservation.purpose.value, state=state)
        if state in ("aborted", "gone"):  # A worker claimed the job after its claim window, or Redis lost it.
            raise SmsUnavailable

    def _abort(self, reservation: Reservation, error: NotPublished) -> None:
        state = self.codes.abort(reservation)
        was_aborted = state in ("aborted", "gone")
        metrics.ABORTS.labels("abort" if was_aborted else "claim").inc()
        log.warning("publish_failed", job=reservation.job_id, failure=error.failure.value, state=state)
        if was_aborted:
            raise SmsUnavailable from error


def report_budget_use(reservation: Reservation) -> None:
    """Show in metrics how much of the budgets is used, and log a warning at 50, 80 and 100 % of the day's budget."""
    use = reservation.use
    if use is None:
        return
    metrics.BUDGET_USED.labels("minute").set(use.minute_share)
    metrics.BUDGET_USED.labels("day").set(use.day_share)
    metrics.UNVERIFIED.labels(reservation.country).set(use.unverified_share)
    if use.warns_at is not None:
        log.warning("sms_budget_used", budget="day", percent=use.warns_at)
