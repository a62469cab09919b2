"""What operators see and do at the queue: how much waits, and the jobs that nobody will send."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sms_service.queue.job import JobMalformed, SendJob

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
