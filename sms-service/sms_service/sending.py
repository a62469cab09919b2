"""Handles one leased job: claim, send, finish, settle."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from structlog import get_logger

from sms_service import metrics
from sms_service.codes.send_jobs import Claimed, Finish, FinishState, SendJobs
from sms_service.delivery import End, Step, after_answer, after_claim, retry_delay_seconds
from sms_service.insistence import Insist, once
from sms_service.jobs import SendJob
from sms_service.providers.outcomes import Outcome, ProviderAnswer
from sms_service.providers.provider import OutgoingSms, Provider
from sms_service.queues.job_queue import JobConsumer, Lease
from sms_service.templates import Language, Templates

log = get_logger(__name__)


@dataclass(frozen=True)
class SendingRules:
    """What the code's settings mean for a worker."""

    code_ttl_seconds: int
    useful_lifetime_seconds: float


class Sending:
    """Sends leased jobs. Threads share it; every step may be repeated after a crash without texting twice."""

    def __init__(
        self,
        consumer: JobConsumer,
        jobs: SendJobs,
        provider: Provider,
        rules: SendingRules,
        *,
        templates: Templates,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        insist: Insist = once,
    ) -> None:
        self._consumer = consumer
        self._jobs = jobs
        self._provider = provider
        self._rules = rules
        self._templates = templates
        self._clock = clock
        self._insist = insist

    def handle(self, lease: Lease) -> None:
        """Bring one lease to its end.

        Raises:
            DependencyUnavailable: Redis is away and ``insist`` gave up; the job comes back.
            NotPublished: the queue did not confirm the hand-over and ``insist`` gave up; the job comes back.
        """
        job = lease.job
        claim = self._insist(lambda: self._jobs.claim(job))
        metrics.CLAIMS.labels(claim.reason.value).inc()
        step = after_claim(
            claim,
            repeats_safely=claim.claimed is not None and self._repeats_safely(claim.claimed.age_seconds),
            useful_lifetime_seconds=self._rules.useful_lifetime_seconds,
        )
        log.info("job_claimed", job=job.id, attempt=job.attempt, reason=claim.reason.value, step=step.name.lower())
        delay = retry_delay_seconds(job.attempt)
        if step is Step.SEND and claim.claimed is not None:
            self._send(lease, claim.claimed)
        elif step is Step.HAND_OVER and delay is not None:
            self._hand_over(lease, replace(job, attempt=claim.attempt), delay)
        else:
            if step is Step.GIVE_UP:
                self._finish(job, End(FinishState.UNCERTAIN), ProviderAnswer(Outcome.UNCERTAIN, "crash"))
            self._insist(lambda: self._consumer.settle(lease))

    def _repeats_safely(self, age_seconds: float, *, delay_seconds: float = 0) -> bool:
        now = self._clock()
        return self._provider.repeats_safely(
            first_sent_at=now - timedelta(seconds=age_seconds), at=now + timedelta(seconds=delay_seconds)
        )

    def _send(self, lease: Lease, claimed: Claimed) -> None:
        job = lease.job
        answer, seconds = self._ask_provider(job, claimed)
        delay = retry_delay_seconds(job.attempt)
        end = after_answer(
            answer.outcome,
            attempt=job.attempt,
            repeats_safely=self._repeats_safely(claimed.age_seconds + seconds, delay_seconds=delay or 0),
            left_seconds=claimed.left_seconds - seconds,
            useful_lifetime_seconds=self._rules.useful_lifetime_seconds,
        )
        state = self._finish(job, end, answer)
        # State `retry` that was there before: our own FINISH, whose answer was lost.
        if end.delay_seconds is not None and state in ("finished", "retry"):
            self._hand_over(lease, replace(job, attempt=job.attempt + 1), end.delay_seconds)
        else:
            self._insist(lambda: self._consumer.settle(lease))

    def _hand_over(self, lease: Lease, following: SendJob, delay_seconds: int) -> None:
        # Insisted on, because RabbitMQ gives a job that is left back to nobody as long as our connection lives.
        self._insist(lambda: self._consumer.hand_over(lease, following, delay_seconds=delay_seconds))

    def _ask_provider(self, job: SendJob, claimed: Claimed) -> tuple[ProviderAnswer, float]:
        minutes = self._rules.code_ttl_seconds // 60
        sms = OutgoingSms(
            job.id,
            claimed.mobile,
            claimed.purpose,
            Language.ZH,
            code=claimed.code,
            valid_minutes=minutes,
            text=self._templates.text(claimed.purpose, Language.ZH, code=claimed.code, valid_minutes=minutes),
            left_seconds=int(claimed.left_seconds),
        )
        begun_at = time.perf_counter()
        answer = self._provider.send(sms)
        seconds = time.perf_counter() - begun_at
        metrics.PROVIDER_SECONDS.labels(self._provider.name).observe(seconds)
        metrics.PROVIDER_ANSWERS.labels(self._provider.name, answer.outcome.value, answer.code).inc()
        return answer, seconds

    def _finish(self, job: SendJob, end: End, answer: ProviderAnswer) -> str:
        finish = Finish(
            end.state,
            outcome=answer.outcome.value,
            provider=self._provider.name,
            provider_id=answer.message_id,
            releases_cooldown=end.releases_cooldown,
        )
        state = self._insist(lambda: self._jobs.finish(job, finish))
        metrics.FINISHES.labels(end.state.value).inc()
        write = log.error if answer.outcome is Outcome.REFUSED_CONFIG else log.info
        write("job_finished", job=job.id, attempt=job.attempt, state=end.state.value, outcome=answer.outcome.value,
              status_code=answer.code, kept=state)  # fmt: skip
        return state
