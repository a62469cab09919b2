"""The queue of send jobs as the API and the worker see it; two adapters keep this promise."""

import enum
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sms_service.queue.job import JobMalformed, SendJob


class PublishFailure(enum.StrEnum):
    """Why a publish is not known to have worked."""

    REFUSED = "nack"  # The queue is full.
    UNROUTABLE = "unroutable"
    TIMEOUT = "timeout"  # The job may still come through.
    BLOCKED = "blocked"
    BUSY = "busy"  # Too many publishes wait already.
    LOST = "lost"  # No connection, or it broke; the job may have come through.


class NotPublished(Exception):
    """The queue did not confirm a job. It may hold it nevertheless, so the caller must abort the job itself."""

    def __init__(self, failure: PublishFailure) -> None:
        super().__init__(failure.value)
        self.failure = failure


class JobPublisher(Protocol):
    """Puts jobs on the queue. One object per process, made after the fork; threads share it."""

    def publish(self, job: SendJob) -> None:
        """Put a job on the queue and wait for the confirmation, no longer than the deadline.

        Raises:
            NotPublished: no confirmation, for the reason it names.
        """

    def is_up(self) -> bool:
        """Say whether a publish would work now."""

    def close(self) -> None:
        """Let go of the connection."""


@dataclass(frozen=True)
class Lease:
    """A job that this worker holds until it settles it. ``receipt`` means something to its adapter only."""

    job: SendJob
    receipt: object


class JobConsumer(Protocol):
    """Takes jobs off the queue. A job whose worker dies comes back; a job past its expiry never comes."""

    def lease(self, *, limit: int, wait_seconds: float) -> list[Lease]:
        """Take at most ``limit`` jobs, waiting a while for the first; empty when there is none or no connection.

        Bodies that are no job go to the dead ones by themselves.
        """

    def keep(self, lease: Lease) -> None:
        """Say that the job is still in hand; to be called every few seconds while it waits."""

    def settle(self, lease: Lease) -> None:
        """Take a job off for good. If the connection breaks, the job comes back."""

    def hand_over(self, lease: Lease, job: SendJob, *, delay_seconds: int) -> None:
        """Put the next attempt on the queue after a delay of `RETRY_DELAYS_SECONDS`, then take this one off.

        Raises:
            NotPublished: this attempt stays leased, and comes back after a while.
        """

    def bury(self, lease: Lease, reason: str) -> None:
        """Move a job to the dead ones, where only people look.

        Raises:
            NotPublished: as in `hand_over`.
        """

    def is_up(self) -> bool:
        """Say whether jobs would come in now."""

    def stop(self) -> None:
        """Take no more jobs; what is leased can still be settled."""

    def close(self) -> None:
        """Let go of the connection; what is not settled comes back elsewhere."""


# Note of the SMS service, section 6: one queue per delay, as a shorter delay would wait behind a longer one.
RETRY_DELAYS_SECONDS = (2, 5, 15)


_DIGEST_CHARACTERS = 12


class InspectionFailed(Exception):
    """The queue cannot be reached."""


class NoSuchDeadJob(Exception):
    """No dead job has this id (any more)."""


@dataclass(frozen=True)
class DeadJob:
    """A message that nobody will send. ``died_at`` is aware UTC, or None where the queue does not say."""

    body: str
    reason: str
    died_at: datetime | None

    @property
    def job(self) -> SendJob | None:
        """The job, unless the body is none."""
        try:
            return SendJob.from_body(self.body)
        except JobMalformed:
            return None

    @property
    def id(self) -> str:
        """The job's id; of a body that is no job, the beginning of its SHA-256."""
        job = self.job
        return job.id if job else hashlib.sha256(self.body.encode()).hexdigest()[:_DIGEST_CHARACTERS]


class QueueInspection(Protocol):
    """One look at the queue; made for a command and closed by it. Everything raises `InspectionFailed`."""

    def depths(self) -> dict[str, int]:
        """Count the messages that wait, by the name of their queue."""

    def dead(self, limit: int) -> list[DeadJob]:
        """Read dead jobs, the oldest first, and leave them where they are."""

    def drop(self, dead_id: str) -> None:
        """Take a dead job away for good.

        Raises:
            NoSuchDeadJob: there is none of that id.
        """

    def replay(self, dead_id: str) -> None:
        """Put a dead job on the queue again; whether it is still sent is for the worker to decide.

        Raises:
            NoSuchDeadJob: as in `drop`.
        """
