"""Requests for a code: captcha, limits, reservation, queue, and the promise that goes with each answer."""

import time

from structlog import get_logger

from chassis.errors import DependencyUnavailable, SmsUnavailable, XinjingError
from chassis.mobiles import Mobile
from chassis.tracing import current_request_id
from sms_service import metrics
from sms_service.captchas import Captchas
from sms_service.codes.reservation import LimitReached, Reservation
from sms_service.codes.sms_codes import SmsCodes
from sms_service.jobs import SendJob
from sms_service.purposes import Purpose
from sms_service.queues.job_queue import JobPublisher, NotPublished

log = get_logger(__name__)


class CodeRequests:
    """Has codes texted. An answer without an error means: a code is valid and its text is on its way."""

    def __init__(self, captchas: Captchas, codes: SmsCodes, publisher: JobPublisher) -> None:
        self._captchas = captchas
        self._codes = codes
        self._publisher = publisher

    def ask(self, mobile: Mobile, purpose: Purpose, *, captcha: tuple[str, str], subject: str, ip: str) -> None:
        """Have a code texted; ``captcha`` is its id and the answer, ``subject`` is empty or the user's id.

        Raises:
            CaptchaWrong, CaptchaExpired: and the captcha is used up.
            LimitReached: too soon or too often.
            SmsUnavailable: no valid code exists and none will be texted.
        """
        try:
            self._ask(mobile, purpose, captcha=captcha, subject=subject, ip=ip)
        except LimitReached as error:
            metrics.LIMITS.labels(error.limit).inc()
            metrics.REQUESTS.labels(error.code).inc()
            raise
        except XinjingError as error:
            metrics.REQUESTS.labels(error.code).inc()
            raise
        metrics.REQUESTS.labels("accepted").inc()

    def _ask(self, mobile: Mobile, purpose: Purpose, *, captcha: tuple[str, str], subject: str, ip: str) -> None:
        self._captchas.spend(*captcha)
        try:
            reservation = self._codes.reserve(mobile, purpose, subject=subject, ip=ip)
            self._send(reservation)
        except DependencyUnavailable as error:
            # Before RESERVE nothing is valid. After it neither COMMIT nor ABORT can be known to have run; the
            # claim window bounds how long a text may still follow.
            raise SmsUnavailable from error

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
        state = self._codes.commit(reservation)
        log.info("code_accepted", job=job.id, purpose=reservation.purpose.value, state=state)
        if state in ("aborted", "gone"):  # A worker met the job after its claim window, or Redis lost it.
            raise SmsUnavailable

    def _abort(self, reservation: Reservation, error: NotPublished) -> None:
        state = self._codes.abort(reservation)
        was_aborted = state in ("aborted", "gone")
        metrics.ABORTS.labels("abort" if was_aborted else "claim").inc()
        log.warning("publish_failed", job=reservation.job_id, failure=error.failure.value, state=state)
        if was_aborted:
            raise SmsUnavailable from error
