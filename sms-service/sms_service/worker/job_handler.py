"""Handles one leased job: claim, send, finish, settle."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from structlog import get_logger

from chassis.errors import DependencyUnavailable
from sms_service import metrics
from sms_service.codes.purposes import Notice
from sms_service.codes.templates import Templates
from sms_service.providers.provider import Outcome, OutgoingSms, ProviderAnswer
from sms_service.queue.interface import JobConsumer, Lease
from sms_service.queue.job import SendJob
from sms_service.routing.breaker import JobOver, JobTaken, TextsStopped
from sms_service.routing.dispatcher import NO_PROVIDER, Dispatched, Dispatcher
from sms_service.worker.decisions import End, Step, after_answer, after_claim, retry_delay_seconds
from sms_service.worker.job_states import Claimed, Finish, FinishState, SendJobs
from sms_service.worker.retry import Insist, once


class Texts:
    """Words the texts of codes that live ``code_ttl_seconds``, and the notices."""

    def __init__(self, templates: Templates, *, code_ttl_seconds: int) -> None:
        self._templates = templates
        self._valid_minutes = code_ttl_seconds // 60

    def of(self, job: SendJob, claimed: Claimed) -> OutgoingSms:
        """Write the text of one job."""
        return OutgoingSms(
            job.id,
            claimed.mobile,
            claimed.purpose,
            claimed.language,
            code=claimed.code,
            valid_minutes=self._valid_minutes,
            text=self._words(claimed),
            left_seconds=int(claimed.left_seconds),
        )

    def _words(self, claimed: Claimed) -> str:
        about, language = claimed.purpose, claimed.language
        if isinstance(about, Notice):
            return self._templates.notice(about, language)
        return self._templates.text(about, language, code=claimed.code, valid_minutes=self._valid_minutes)


log = get_logger(__name__)
_TAKEN_SECONDS = 1.0
NO_TEXTS = ProviderAnswer(Outcome.NOT_SENT, "kill_switch")


class Sending:
    """Sends leased jobs. Threads share it; every step may be repeated after a crash without texting twice."""

    def __init__(
        self,
        consumer: JobConsumer,
        jobs: SendJobs,
        dispatcher: Dispatcher,
        texts: Texts,
        *,
        useful_lifetime_seconds: float,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        insist: Insist = once,
        stopping: threading.Event | None = None,
    ) -> None:
        self._consumer = consumer
        self._jobs = jobs
        self._dispatcher = dispatcher
        self._texts = texts
        self._useful_seconds = useful_lifetime_seconds
        self._clock = clock
        self._insist = insist
        self._stopping = stopping or threading.Event()

    def handle(self, lease: Lease) -> None:
        """Bring one lease to its end.

        Raises:
            DependencyUnavailable: Redis is away and ``insist`` gave up, or the worker stops; the job comes back.
            NotPublished: the queue did not confirm the hand-over and ``insist`` gave up; the job comes back.
        """
        job = lease.job
        claim = self._insist(lambda: self._jobs.claim(job))
        metrics.CLAIMS.labels(claim.reason.value).inc()
        claimed = claim.claimed
        repeats_safely = claimed is not None and self._repeats_safely(claimed.provider, claimed)
        step = after_claim(claim, repeats_safely=repeats_safely, useful_lifetime_seconds=self._useful_seconds)
        log.info("job_claimed", job=job.id, attempt=job.attempt, reason=claim.reason.value, step=step.name.lower())
        delay = retry_delay_seconds(job.attempt)
        if step is Step.SEND and claimed is not None:
            self._send(lease, claimed)
            return
        if step is Step.HAND_OVER and delay is not None:
            self._hand_over(lease, replace(job, attempt=claim.attempt), delay)
            return
        if step is Step.GIVE_UP and claimed is not None:
            self._give_up(job, claimed, NO_PROVIDER)
        self._insist(lambda: self._consumer.settle(lease))

    def _repeats_safely(
        self, provider: str, claimed: Claimed, *, passed_seconds: float = 0, later_seconds: float = 0
    ) -> bool:
        asked = self._dispatcher.providers.get(provider)
        if asked is None:
            return False
        now = self._clock()
        since_first = passed_seconds + (claimed.since_first_send_seconds if provider == claimed.provider else 0)
        return asked.repeats_safely(
            first_sent_at=now - timedelta(seconds=since_first), at=now + timedelta(seconds=later_seconds)
        )

    def _give_up(self, job: SendJob, claimed: Claimed, reason: ProviderAnswer) -> None:
        if claimed.provider:
            crash = Dispatched(claimed.provider, ProviderAnswer(Outcome.UNCERTAIN, "crash"))
            self._finish(job, End(FinishState.UNCERTAIN), crash)
        else:
            self._finish(job, End(FinishState.FAILED, releases_cooldown=True), Dispatched("", reason))

    def _send(self, lease: Lease, claimed: Claimed) -> None:
        job, begun_at = lease.job, time.monotonic()
        try:
            dispatched = self._dispatcher.send(
                job,
                self._texts.of(job, claimed),
                claimed,
                patience_seconds=claimed.left_seconds - self._useful_seconds,
                pause=lambda seconds: self._pause(lease, seconds),
            )
        except JobTaken:
            self._pause(lease, _TAKEN_SECONDS)  # Its claim will say what the other worker has made of it.
            self.handle(lease)
            return
        except JobOver:
            self._insist(lambda: self._consumer.settle(lease))
            return
        except TextsStopped:
            self._give_up(job, claimed, NO_TEXTS)
            self._insist(lambda: self._consumer.settle(lease))
            return
        self._end(lease, claimed, dispatched, seconds=time.monotonic() - begun_at)

    def _end(self, lease: Lease, claimed: Claimed, dispatched: Dispatched, *, seconds: float) -> None:
        job = lease.job
        end = after_answer(
            dispatched.answer.outcome,
            attempt=job.attempt,
            repeats_safely=self._repeats_safely(
                dispatched.provider,
                claimed,
                passed_seconds=seconds,
                later_seconds=retry_delay_seconds(job.attempt) or 0,
            ),
            left_seconds=claimed.left_seconds - seconds,
            useful_lifetime_seconds=self._useful_seconds,
        )
        state = self._finish(job, end, dispatched)
        if end.state is FinishState.SENT and claimed.code:  # Their ratio to right codes is what tells.
            metrics.TEXTED.labels(dispatched.provider, claimed.country).inc()
            metrics.ACCEPT_TO_HANDOVER_SECONDS.observe(claimed.waited_seconds + seconds)
        # State `retry` that was there before: our own FINISH, whose answer was lost.
        if end.delay_seconds is not None and state in ("finished", "retry"):
            self._hand_over(lease, replace(job, attempt=job.attempt + 1), end.delay_seconds)
        else:
            self._insist(lambda: self._consumer.settle(lease))

    def _hand_over(self, lease: Lease, following: SendJob, delay_seconds: int) -> None:
        # Insisted on, because RabbitMQ gives a job that is left back to nobody as long as our connection lives.
        self._insist(lambda: self._consumer.hand_over(lease, following, delay_seconds=delay_seconds))

    def _pause(self, lease: Lease, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise DependencyUnavailable("The worker stops.")
        self._insist(lambda: self._consumer.keep(lease))

    def _finish(self, job: SendJob, end: End, dispatched: Dispatched) -> str:
        answer = dispatched.answer
        finish = Finish(
            end.state,
            outcome=answer.outcome.value,
            provider=dispatched.provider,
            provider_id=answer.message_id,
            releases_cooldown=end.releases_cooldown,
        )
        state = self._insist(lambda: self._jobs.finish(job, finish))
        metrics.FINISHES.labels(end.state.value).inc()
        write = log.error if answer.outcome is Outcome.REFUSED_CONFIG else log.info
        write("job_finished", job=job.id, attempt=job.attempt, state=end.state.value, provider=dispatched.provider,
              outcome=answer.outcome.value, answered=answer.code, kept=state)  # fmt: skip
        return state
