"""The queue of send jobs as the API, the worker and operators see it; RabbitMQ and the Redis stream implement it."""

import enum
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sms_service.queue.job import JobMalformed, SendJob

# On RabbitMQ each delay has a queue of its own: in a queue, a shorter delay would wait behind a longer one.
RETRY_DELAYS_SECONDS = (2, 5, 15)
_DIGEST_CHARACTERS = 12


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

    def close_connections(self) -> None:
        """Close the connections."""


@dataclass(frozen=True)
class Lease:
    """A job that this worker holds until it acknowledges it. ``delivery_tag`` means something to its adapter only."""

    job: SendJob
    delivery_tag: object


class JobConsumer(Protocol):
    """Takes jobs off the queue. A job whose worker dies comes back; a job past its expiry never comes."""

    def lease(self, *, limit: int, wait_seconds: float) -> list[Lease]:
        """Lease at most ``limit`` jobs, waiting a while for the first; empty when there is none or no connection.

        A body that is no job is dead-lettered at once.
        """

    def extend(self, lease: Lease) -> None:
        """Renew a lease; to be called every few seconds while its job waits."""

    def ack(self, lease: Lease) -> None:
        """Remove a job from the queue for good. If the connection breaks, the job comes back."""

    def requeue(self, lease: Lease, job: SendJob, *, delay_seconds: int) -> None:
        """Put the next attempt on the queue after a delay of `RETRY_DELAYS_SECONDS`, then acknowledge this one.

        Raises:
            NotPublished: this attempt stays leased, and comes back after a while.
        """

    def dead_letter(self, lease: Lease, reason: str) -> None:
        """Move a job to the dead letters, where only operators look.

        Raises:
            NotPublished: as in `requeue`.
        """

    def is_up(self) -> bool:
        """Say whether jobs would come in now."""

    def stop(self) -> None:
        """Lease no more jobs; what is leased can still be acknowledged."""

    def close_connections(self) -> None:
        """Close the connections; what is not acknowledged comes to another worker."""


class InspectionFailed(Exception):
    """The queue cannot be reached."""


class NoSuchDeadJob(Exception):
    """No dead job has this id (any more)."""


@dataclass(frozen=True)
class DeadJob:
    """A dead letter: a message that no worker will send. ``died_at`` is aware UTC; None if the queue does not say."""

    body: str
    reason: str
    died_at: datetime | None

    @property
    def job(self) -> SendJob | None:
        """The job; None if the body is none."""
        try:
            return SendJob.from_body(self.body)
        except JobMalformed:
            return None

    @property
    def id(self) -> str:
        """The job's id; of a body that is no job, the first characters of its SHA-256."""
        job = self.job
        return job.id if job else hashlib.sha256(self.body.encode()).hexdigest()[:_DIGEST_CHARACTERS]


class QueueInspection(Protocol):
    """What operators see and do; made for one command and closed by it. Every method raises `InspectionFailed`."""

    def depths(self) -> dict[str, int]:
        """Count the messages that wait, by the name of their queue."""

    def list_dead(self, limit: int) -> list[DeadJob]:
        """Read dead jobs, the oldest first, and leave them where they are."""

    def drop_dead(self, dead_id: str) -> None:
        """Delete a dead job.

        Raises:
            NoSuchDeadJob: there is none of that id.
        """

    def replay_dead(self, dead_id: str) -> None:
        """Put a dead job on the queue again; the worker decides whether it is still sent.

        Raises:
            NoSuchDeadJob: as in `drop_dead`.
        """
