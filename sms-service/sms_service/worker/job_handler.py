"""Handles one leased job from its claim to its acknowledgement."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from redis import Redis
from structlog import get_logger
from tenacity import Retrying, retry_if_exception_type, sleep_using_event, stop_when_event_set, wait_exponential

from chassis.errors import DependencyUnavailable
from sms_service import metrics
from sms_service.codes.crypto import CodeKeys
from sms_service.codes.purposes import Notice
from sms_service.codes.templates import Templates
from sms_service.providers.factory import make_templates
from sms_service.providers.provider import Outcome, OutgoingSms, ProviderAnswer
from sms_service.queue.interface import JobConsumer, Lease, NotPublished
from sms_service.queue.job import SendJob
from sms_service.routing.breaker import JobOver, JobTaken, TextsStopped
from sms_service.routing.dispatcher import NO_PROVIDER, Dispatch, Dispatcher, DispatchResult, make_dispatcher
from sms_service.settings import Settings
from sms_service.worker.decisions import End, Step, after_answer, after_claim, retry_delay_seconds
from sms_service.worker.job_states import ClaimedJob, Finish, FinishState, JobStates

log = get_logger(__name__)
_TAKEN_SECONDS = 1.0
_FIRST_RETRY_SECONDS, _LONGEST_RETRY_SECONDS = 0.1, 5.0
KILL_SWITCH_IS_ON = ProviderAnswer(Outcome.NOT_SENT, "kill_switch")


def retry_until(stopping: threading.Event) -> Retrying:
    """Make what repeats a call while Redis or the queue is away, until the worker stops.

    All threads of the worker wait in such calls, so it leases no other jobs, and the queue keeps them. When
    ``stopping`` is set, the last error is raised: `DependencyUnavailable` or `NotPublished`.
    """
    return Retrying(
        retry=retry_if_exception_type((DependencyUnavailable, NotPublished)),
        wait=wait_exponential(multiplier=_FIRST_RETRY_SECONDS, max=_LONGEST_RETRY_SECONDS),
        sleep=sleep_using_event(stopping),
        stop=stop_when_event_set(stopping),
        reraise=True,
    )


@dataclass(frozen=True)
class TextWriter:
    """Writes the texts of claimed jobs; ``code_ttl_seconds`` is how long a code is valid."""

    templates: Templates
    code_ttl_seconds: int

    def write_sms(self, job: SendJob, claimed: ClaimedJob) -> OutgoingSms:
        """Write the text of one job."""
        purpose, language, valid_minutes = claimed.purpose, claimed.language, self.code_ttl_seconds // 60
        if isinstance(purpose, Notice):
            text = self.templates.notice_text(purpose, language)
        else:
            text = self.templates.code_text(purpose, language, code=claimed.code, valid_minutes=valid_minutes)
        return OutgoingSms(
            job.id,
            claimed.mobile,
            purpose,
            language,
            code=claimed.code,
            valid_minutes=valid_minutes,
            text=text,
            left_seconds=int(claimed.left_seconds),
        )


@dataclass(frozen=True, kw_only=True)
class JobHandler:
    """Sends the texts of leased jobs. Threads share it; after a crash every step may be repeated without texting twice.

    ``retrying`` repeats calls of Redis and the queue; ``stopping`` ends waits.
    """

    consumer: JobConsumer
    states: JobStates
    dispatcher: Dispatcher
    writer: TextWriter
    useful_lifetime_seconds: float
    retrying: Retrying
    stopping: threading.Event
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def handle(self, lease: Lease) -> None:
        """Bring one lease to its end.

        Raises:
            DependencyUnavailable: Redis is away and ``retrying`` gave up, or the worker stops; the job comes back.
            NotPublished: the queue did not confirm the next attempt and ``retrying`` gave up; the job comes back.
        """
        job = lease.job
        claim = self.retrying(self.states.claim, job)
        metrics.CLAIMS.labels(claim.reason.value).inc()
        claimed = claim.job
        repeats_safely = claimed is not None and self._repeats_safely(claimed.provider, claimed)
        step = after_claim(claim, repeats_safely=repeats_safely, useful_lifetime_seconds=self.useful_lifetime_seconds)
        log.info("job_claimed", job=job.id, attempt=job.attempt, reason=claim.reason.value, step=step.value)
        delay = retry_delay_seconds(job.attempt)
        if step is Step.SEND and claimed is not None:
            self._send(lease, claimed)
            return
        if step is Step.REQUEUE and delay is not None:
            self._requeue(lease, replace(job, attempt=claim.attempt), delay)
            return
        if step is Step.GIVE_UP and claimed is not None:
            self._give_up(job, claimed, NO_PROVIDER)
        self.retrying(self.consumer.ack, lease)

    def _repeats_safely(
        self, name: str, claimed: ClaimedJob, *, passed_seconds: float = 0, later_seconds: float = 0
    ) -> bool:
        provider = self.dispatcher.providers.get(name)
        if provider is None:
            return False
        now = self.clock()
        since_first = passed_seconds + claimed.since_first_send_seconds
        return provider.repeats_safely(
            first_sent_at=now - timedelta(seconds=since_first), at=now + timedelta(seconds=later_seconds)
        )

    def _give_up(self, job: SendJob, claimed: ClaimedJob, reason: ProviderAnswer) -> None:
        if claimed.provider:
            crash = DispatchResult(claimed.provider, ProviderAnswer(Outcome.UNCERTAIN, "crash"))
            self._finish(job, End(FinishState.UNCERTAIN), crash)
        else:
            self._finish(job, End(FinishState.FAILED, releases_cooldown=True), DispatchResult("", reason))

    def _send(self, lease: Lease, claimed: ClaimedJob) -> None:
        job, begun_at = lease.job, time.monotonic()
        sms = self.writer.write_sms(job, claimed)
        try:
            result = self.dispatcher.dispatch(
                Dispatch(job, sms, claimed.country, claimed.provider),
                patience_seconds=claimed.left_seconds - self.useful_lifetime_seconds,
                pause=lambda seconds: self._pause(lease, seconds),
            )
        except JobTaken:
            self._pause(lease, _TAKEN_SECONDS)  # The next claim returns what the other worker has made of it.
            self.handle(lease)
        except JobOver:
            self.retrying(self.consumer.ack, lease)
        except TextsStopped:
            self._give_up(job, claimed, KILL_SWITCH_IS_ON)
            self.retrying(self.consumer.ack, lease)
        else:
            self._end_attempt(lease, claimed, result, seconds=time.monotonic() - begun_at)

    def _end_attempt(self, lease: Lease, claimed: ClaimedJob, result: DispatchResult, *, seconds: float) -> None:
        job, delay = lease.job, retry_delay_seconds(lease.job.attempt) or 0
        if claimed.provider:  # No other was asked, and none may be, also if this one could not be called in time.
            result = replace(result, provider=claimed.provider)
        end = after_answer(
            result.answer.outcome,
            was_uncertain=claimed.provider != "",
            attempt=job.attempt,
            repeats_safely=self._repeats_safely(result.provider, claimed, passed_seconds=seconds, later_seconds=delay),
            left_seconds=claimed.left_seconds - seconds,
            useful_lifetime_seconds=self.useful_lifetime_seconds,
        )
        state = self._finish(job, end, result)
        if end.state is FinishState.SENT and claimed.code:  # Notices do not count: nobody enters a code for them.
            metrics.TEXTED.labels(result.provider, claimed.country).inc()
            metrics.ACCEPT_TO_HANDOVER_SECONDS.observe(claimed.waited_seconds + seconds)
        # If the state is `retry` already, an earlier try of our FINISH has written it and its answer was lost.
        if end.delay_seconds is not None and state in ("finished", "retry"):
            self._requeue(lease, replace(job, attempt=job.attempt + 1), end.delay_seconds)
        else:
            self.retrying(self.consumer.ack, lease)

    def _requeue(self, lease: Lease, following: SendJob, delay_seconds: int) -> None:
        # Repeated until it works: while our connection to RabbitMQ lives, no other worker gets this job.
        self.retrying(self.consumer.requeue, lease, following, delay_seconds=delay_seconds)

    def _pause(self, lease: Lease, seconds: float) -> None:
        if self.stopping.wait(seconds):
            raise DependencyUnavailable("The worker stops.")
        self.retrying(self.consumer.extend, lease)

    def _finish(self, job: SendJob, end: End, result: DispatchResult) -> str:
        answer = result.answer
        finish = Finish(
            end.state,
            outcome=answer.outcome.value,
            provider=result.provider,
            provider_id=answer.message_id,
            releases_cooldown=end.releases_cooldown,
        )
        state = self.retrying(self.states.finish, job, finish)
        metrics.FINISHES.labels(end.state.value).inc()
        write = log.error if answer.outcome is Outcome.REFUSED_CONFIG else log.info
        write("job_finished", job=job.id, attempt=job.attempt, state=end.state.value, provider=result.provider,
              outcome=answer.outcome.value, answered=answer.code, kept=state)  # fmt: skip
        return state


def make_job_handler(
    settings: Settings, redis: Redis, consumer: JobConsumer, *, stopping: threading.Event
) -> JobHandler:
    """Make the handler of a worker.

    Raises:
        TemplatesMalformed, ProviderUnusable: the settings do not suffice; the message says why.
    """
    keys = CodeKeys(settings.code_key.get_secret_value())
    templates, retrying = make_templates(settings), retry_until(stopping)
    useful_seconds = settings.useful_lifetime_seconds
    return JobHandler(
        consumer=consumer,
        states=JobStates(
            redis, keys, useful_lifetime_seconds=useful_seconds, claim_window_seconds=settings.claim_window_seconds
        ),
        dispatcher=make_dispatcher(settings, redis, keys, templates, retrying=retrying),
        writer=TextWriter(templates, settings.code_ttl_seconds),
        useful_lifetime_seconds=useful_seconds,
        retrying=retrying,
        stopping=stopping,
    )
