"""Reads the audit log, and purges its old entries; nothing else deletes entries."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from chassis.database import Database
from user_service.audit.log import AuditEntry, write_audit_entry
from user_service.models import AuditEvent

_BATCH = 1000


@dataclass(frozen=True)
class TrailQuery:
    """Which entries to read, newest first; ``before_id`` is the last id of the page before."""

    user_id: int | None = None
    event: str | None = None
    before_id: int | None = None
    limit: int = 20


@dataclass(frozen=True, kw_only=True)
class AuditTrail:
    """All entries, on the database."""

    database: Database
    clock: Callable[[], datetime]

    def read_page(self, query: TrailQuery) -> tuple[Sequence[AuditEvent], int | None]:
        """Return a page and the cursor of the next; ``user_id`` is the owner of the account, not the actor."""
        rows = select(AuditEvent)
        if query.user_id is not None:
            rows = rows.where(AuditEvent.user_id == query.user_id)
        if query.event is not None:
            rows = rows.where(AuditEvent.event == query.event)
        if query.before_id is not None:
            rows = rows.where(AuditEvent.id < query.before_id)
        with self.database.read() as db:
            entries = db.scalars(rows.order_by(AuditEvent.id.desc()).limit(query.limit + 1)).all()
        return entries[: query.limit], entries[query.limit - 1].id if len(entries) > query.limit else None

    def purge(self, *, days: int) -> int:
        """Delete the entries older than this many days in batches, so that no lock lasts; return their number."""
        now = self.clock()
        purged = 0
        while batch := self._purge_batch(now - timedelta(days=days)):
            purged += batch
        with self.database.write() as db:
            entry = AuditEntry("audit_purged", detail=f"{purged} lines older than {days} days")
            write_audit_entry(db, entry, now=now)
        return purged

    def _purge_batch(self, before: datetime) -> int:
        with self.database.write() as db:
            ids = db.scalars(select(AuditEvent.id).where(AuditEvent.at < before).limit(_BATCH)).all()
            db.execute(delete(AuditEvent).where(AuditEvent.id.in_(ids)))
        return len(ids)
