"""The audit log as it is read, and the one way in which lines leave it: by age."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from chassis.database import Database
from user_service.audit.log import Happening, record
from user_service.models import AuditEvent

_BATCH = 1000


@dataclass(frozen=True)
class TrailQuery:
    """Which lines to read, newest first; ``before_id`` is where the page before ended."""

    user_id: int | None = None
    event: str | None = None
    before_id: int | None = None
    limit: int = 20


class AuditTrail:
    """All lines, on the database."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def read(self, asked: TrailQuery) -> tuple[Sequence[AuditEvent], int | None]:
        """Return a page of lines and the cursor of the next; ``user_id`` is whose account it is, not who acted."""
        query = select(AuditEvent)
        if asked.user_id is not None:
            query = query.where(AuditEvent.user_id == asked.user_id)
        if asked.event is not None:
            query = query.where(AuditEvent.event == asked.event)
        if asked.before_id is not None:
            query = query.where(AuditEvent.id < asked.before_id)
        with self._database.read() as db:
            found = db.scalars(query.order_by(AuditEvent.id.desc()).limit(asked.limit + 1)).all()
        return found[: asked.limit], found[asked.limit - 1].id if len(found) > asked.limit else None

    def purge(self, *, days: int) -> int:
        """Delete the lines that are older than so many days, and return how many; in batches, to block nobody long."""
        now = self._clock()
        purged = 0
        while batch := self._purge_batch(now - timedelta(days=days)):
            purged += batch
        with self._database.write() as db:
            record(db, Happening("audit_purged", detail=f"{purged} lines older than {days} days"), now=now)
        return purged

    def _purge_batch(self, before: datetime) -> int:
        with self._database.write() as db:
            ids = db.scalars(select(AuditEvent.id).where(AuditEvent.at < before).limit(_BATCH)).all()
            db.execute(delete(AuditEvent).where(AuditEvent.id.in_(ids)))
        return len(ids)
