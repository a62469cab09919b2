"""Work on the sessions of all users, in batches: revoking them when keys or the database may be stolen, and purging."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update

from chassis.database import Database
from user_service.audit.log import AuditEntry, write_audit_entry
from user_service.models import UserSession
from user_service.sessions.sessions import last_session_id
from user_service.tokens.revocations import Revocations

_BATCH = 1000


def revoke_all_sessions(
    database: Database, revocations: Revocations, *, clock: Callable[[], datetime], actor_id: int | None
) -> None:
    """End every session that began before now, the caller's own too.

    It works in batches, so that no refresh waits for long. The gateways are informed after the last batch, because a
    refresh may write a token until then.

    Raises:
        DependencyUnavailable: some sessions have not ended; repeat the call.
    """
    with database.write() as db:
        write_audit_entry(db, AuditEntry("everybody_signed_out", actor_id=actor_id), now=clock())
    last_id: str | None = ""
    while last_id is not None:
        last_id = _revoke_batch(database, last_id, clock)
    now = clock()
    with database.read() as db:
        newest_id = db.scalar(select(func.max(UserSession.id))) or ""
    revocations.end_all_sessions(through=max(newest_id, last_session_id(now)), now=now)


def _revoke_batch(database: Database, after_id: str, clock: Callable[[], datetime]) -> str | None:
    """Revoke the next sessions by id. Return the last id, or None after the last batch."""
    query = select(UserSession.id).where(UserSession.id > after_id).order_by(UserSession.id).limit(_BATCH)
    with database.write() as db:
        ids = db.scalars(query).all()
        live = UserSession.id.in_(ids), UserSession.revoked_at.is_(None)
        db.execute(update(UserSession).where(*live).values(revoked_at=clock()))
    return ids[-1] if len(ids) == _BATCH else None


def purge_sessions(database: Database, *, now: datetime, days: int) -> int:
    """Delete the expired sessions that began more than this many days ago, and return their number.

    A refresh token of a purged session is refused like a made-up one.
    """
    purged = 0
    while batch := _purge_batch(database, now, last_session_id(now - timedelta(days=days))):
        purged += batch
    return purged


def _purge_batch(database: Database, now: datetime, through: str) -> int:
    # By id, because ids sort by time and have an index.
    query = select(UserSession.id).where(UserSession.id <= through, UserSession.expires_at < now).limit(_BATCH)
    with database.write() as db:
        ids = db.scalars(query).all()
        db.execute(delete(UserSession).where(UserSession.id.in_(ids)))
    return len(ids)
