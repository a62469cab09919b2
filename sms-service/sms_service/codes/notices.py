"""Notices to an account's owner: texts without a code. Another service requests them; the same workers send them."""

import json
import uuid

from redis import Redis
from structlog import get_logger

from chassis.errors import DependencyUnavailable, SmsUnavailable, XinjingError
from chassis.lua import load_script
from chassis.redis_client import redis_errors
from chassis.tracing import current_request_id, trace_headers
from sms_service import metrics
from sms_service.codes.crypto import CodeKeys
from sms_service.codes.keys import BUDGET_PREFIX, KILL_SWITCH_KEY, job_key, notices_key
from sms_service.codes.limit_settings import LimitSettings
from sms_service.codes.purposes import Language, Notice
from sms_service.codes.recipients import Recipient
from sms_service.codes.reservation import limit_error
from sms_service.queue.interface import JobPublisher, NotPublished
from sms_service.queue.job import SendJob
from sms_service.routing.deliverability import Deliverability

log = get_logger(__name__)
_LIMITS = {"notices_per_mobile_per_day", "sends_per_minute", "sends_per_day", "code_ttl_seconds"}


class Notices:
    """Accepts notices. They have a limit of their own per mobile, and count to the budgets of all texts."""

    def __init__(
        self,
        redis: Redis,
        keys: CodeKeys,
        limits: LimitSettings,
        *,
        publisher: JobPublisher,
        deliverability: Deliverability,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._limits = limits.model_dump(include=_LIMITS)
        self._publisher = publisher
        self._deliverability = deliverability
        self._reserve_notice = load_script(redis, __file__, "windows", "notice")

    def request(self, recipient: Recipient, notice: Notice, language: Language) -> None:
        """Put the job of a notice on the queue; a test number gets no text.

        Raises:
            LimitReached: this mobile had its notices of the day.
            SmsUnavailable: the notice will not be texted; `BudgetSpent` if there were too many texts.
        """
        try:
            result = "test" if recipient.fixed_code is not None else self._request(recipient, notice, language)
        except XinjingError as error:
            metrics.NOTICES.labels(error.code).inc()
            raise
        metrics.NOTICES.labels(result).inc()

    def _request(self, recipient: Recipient, notice: Notice, language: Language) -> str:
        try:
            self._deliverability.check(recipient.country)
            job = self._reserve(recipient, notice, language)
            self._publish(job)
        except DependencyUnavailable as error:
            raise SmsUnavailable from error
        log.info("notice_accepted", job=job.id, notice=notice.value)
        return "accepted"

    def _reserve(self, recipient: Recipient, notice: Notice, language: Language) -> SendJob:
        job_id, mobile_hash = uuid.uuid4().hex, self._keys.mobile_hash(recipient.mobile)
        fields = {
            "notice": notice,
            "language": language,
            "country": recipient.country,
            "mobile_sealed": self._keys.seal(recipient.mobile, context=f"{job_id} mobile"),
        }
        argument = {"job_id": job_id, "budget_counters": BUDGET_PREFIX, "limits": self._limits, "fields": fields}
        keys = [job_key(mobile_hash, job_id), notices_key(mobile_hash), KILL_SWITCH_KEY]
        with redis_errors():
            reply = json.loads(self._reserve_notice(keys, [json.dumps(argument)]))
        if "refused" in reply:
            raise limit_error(reply["refused"], reply["wait_ms"])
        expires_at, trace = reply["exp_ms"] // 1000, trace_headers().get("traceparent", "")
        return SendJob(job_id, mobile_hash, 0, expires_at, current_request_id(), trace)

    def _publish(self, job: SendJob) -> None:
        try:
            self._publisher.publish(job)
        except NotPublished as error:
            # The limits stay charged. The queue may hold the job all the same; without its hash no worker texts it.
            with redis_errors():
                self._redis.delete(job_key(job.mobile_hash, job.id))
            raise SmsUnavailable from error
