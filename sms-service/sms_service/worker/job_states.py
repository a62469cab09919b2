"""The worker's side of the state machine: claim one attempt of a job, and write down how it ended."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any  # What a script answers.

from redis import Redis

from chassis.lua import load_script
from chassis.mobiles import Mobile
from chassis.redis_client import redis_errors
from sms_service.codes.crypto import CodeKeys
from sms_service.codes.keys import (
    WAITING_KEY,
    cooldown_prefix,
    current_code_prefix,
    job_key,
    message_reference_key,
    unanswered_sends_prefix,
)
from sms_service.codes.purposes import Language, Notice, Purpose
from sms_service.queue.job import SendJob


class ClaimReason(enum.StrEnum):
    """Why a claim was granted or refused; the values are labels of a metric."""

    WON = "won"
    SENDING = "sending"  # A worker claimed this attempt before and has not finished it.
    REQUEUED = "handed_over"  # This attempt is finished, but the message of the next one may be lost.
    GONE = "gone"
    EXPIRED = "expired"
    LATE = "late"  # Nobody committed it within the claim window.
    ABORTED = "aborted"
    STALE = "stale"
    SPENT = "spent"
    SUPERSEDED = "superseded"
    DONE = "done"


@dataclass(frozen=True)
class ClaimedJob:
    """What a worker needs to send one text; a notice has no code.

    ``provider`` is the one that may have texted already, or empty; ``since_first_send_seconds`` counts from then.
    """

    mobile: Mobile
    code: str
    purpose: Purpose | Notice
    left_seconds: float
    waited_seconds: float
    language: Language = Language.ZH
    country: str = ""
    provider: str = ""
    since_first_send_seconds: float = 0


@dataclass(frozen=True)
class Claim:
    """The answer to CLAIM: ``job`` is set for WON and SENDING, ``attempt`` (the current one) for REQUEUED."""

    reason: ClaimReason
    job: ClaimedJob | None = None
    attempt: int = 0


class FinishState(enum.StrEnum):
    """How an attempt ends."""

    SENT = "sent"
    FAILED = "failed"
    RETRY = "retry"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True)
class Finish:
    """The end of one attempt, as it is written down."""

    state: FinishState
    outcome: str
    provider: str
    provider_id: str = ""
    releases_cooldown: bool = False


class JobStates:
    """The states of jobs in Redis. Both methods raise `DependencyUnavailable` when Redis is away."""

    def __init__(
        self, redis: Redis, keys: CodeKeys, *, useful_lifetime_seconds: float, claim_window_seconds: float
    ) -> None:
        self._keys = keys
        self._useful_ms = int(useful_lifetime_seconds * 1000)
        self._window_ms = int(claim_window_seconds * 1000)
        self._claim, self._finish = (
            load_script(redis, __file__, "../codes/give_back", name) for name in ("claim", "finish")
        )

    def claim(self, job: SendJob) -> Claim:
        """Claim one attempt; of several callers exactly one gets it."""
        prefix = current_code_prefix(job.mobile_hash)
        arguments: list[str | int] = [job.id, job.attempt, self._useful_ms, self._window_ms, prefix]
        with redis_errors():
            reply = self._claim([job_key(job.mobile_hash, job.id), WAITING_KEY], arguments)
        reason = ClaimReason(reply[0])
        if reason is ClaimReason.REQUEUED:
            return Claim(reason, attempt=int(reply[1]))
        if len(reply) == 1:
            return Claim(reason)
        return Claim(reason, self._open_job(job, reply[1:]))

    def _open_job(self, job: SendJob, fields: Sequence[Any]) -> ClaimedJob:
        purpose, left_ms, waited_ms, since_first_ms, mobile, code, language, country, provider = fields
        return ClaimedJob(
            mobile=Mobile(self._keys.open(mobile, context=f"{job.id} mobile")),
            code=self._keys.open(code, context=f"{job.id} code") if code else "",
            purpose=Notice(purpose) if purpose in set(Notice) else Purpose(purpose),
            left_seconds=left_ms / 1000,
            waited_seconds=waited_ms / 1000,
            language=Language(language or Language.ZH),
            country=country,
            provider=provider,
            since_first_send_seconds=max(0, since_first_ms) / 1000,
        )

    def finish(self, job: SendJob, finish: Finish) -> str:
        """Write down the end of an attempt; answers ``finished``, ``gone``, or the state that stays."""
        arguments: list[str | int] = [
            job.id, job.attempt, finish.state, "1" if finish.releases_cooldown else "0",
            current_code_prefix(job.mobile_hash), cooldown_prefix(job.mobile_hash),
            unanswered_sends_prefix(job.mobile_hash), finish.provider, finish.provider_id, finish.outcome,
        ]  # fmt: skip
        keys = [job_key(job.mobile_hash, job.id), message_reference_key(finish.provider, finish.provider_id)]
        with redis_errors():
            return str(self._finish(keys, arguments))
