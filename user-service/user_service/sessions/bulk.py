"""Signing everybody out at once, when keys or the database may be in wrong hands; and purging what is long over."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update

from chassis.database import Database
from user_service.audit.log import Happening, record
from user_service.models import UserSession
from user_service.sessions.sessions import last_session_id
from user_service.tokens.revocations import Revocations

_BATCH = 1000


class Everybody:
    """The sessions of all users."""

    def __init__(self, database: Database, revocations: Revocations, *, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._revocations = revocations
        self._clock = clock

    def sign_out(self, *, actor_id: int | None) -> None:
        """End every session that was begun before now, the caller's own too.

        In batches, so that refreshes wait for none of them long; the tokens die after the last, as until then a
        refresh may still write one.

        Raises:
            DependencyUnavailable: some sessions live on; repeat the call.
        """
        with self._database.write() as db:
            record(db, Happening("everybody_signed_out", actor_id=actor_id), now=self._clock())
        last_id: str | None = ""
        while last_id is not None:
            last_id = self._end_batch(last_id)
        now = self._clock()
        with self._database.read() as db:
            newest = db.scalar(select(func.max(UserSession.id))) or ""
        self._revocations.end_everybody(through=max(newest, last_session_id(now)), now=now)

    def purge(self, *, days: int) -> int:
        """Delete the expired sessions that began more than so many days ago, and return how many; in batches too.

        A refresh token of theirs is refused as one that never was.
        """
        now = self._clock()
        purged = 0
        while batch := self._purge_batch(now, last_session_id(now - timedelta(days=days))):
            purged += batch
        return purged

    def _purge_batch(self, now: datetime, through: str) -> int:
        # By id, which sorts by time and has an index.
        query = select(UserSession.id).where(UserSession.id <= through, UserSession.expires_at < now).limit(_BATCH)
        with self._database.write() as db:
            ids = db.scalars(query).all()
            db.execute(delete(UserSession).where(UserSession.id.in_(ids)))
        return len(ids)

    def _end_batch(self, after_id: str) -> str | None:
        """End the next sessions by id, and return the last id, or None at the end; ids sort by time."""
        query = select(UserSession.id).where(UserSession.id > after_id).order_by(UserSession.id).limit(_BATCH)
        with self._database.write() as db:
            ids = db.scalars(query).all()
            alive = UserSession.id.in_(ids), UserSession.revoked_at.is_(None)
            db.execute(update(UserSession).where(*alive).values(revoked_at=self._clock()))
        return ids[-1] if len(ids) == _BATCH else None
