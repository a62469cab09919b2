"""Sessions: each is one device on which a user signed in. They begin, are listed, are replaced and end here.

Session ids sort by the time at which their sessions began, as ULIDs do, and nobody can guess one.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Table, bindparam, func, insert, select, update
from sqlalchemy import event as database_event
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.errors import NotFound, Unauthenticated
from user_service.audit.log import AuditEntry, write_audit_entry
from user_service.models import Device, User, UserSession
from user_service.tokens.access_tokens import AccessTokens, TokenPair
from user_service.tokens.refresh_tokens import Lifetimes, RefreshTokens
from user_service.tokens.revocations import Revocations

_TIME_DIGITS = 12  # 48 bits of milliseconds, in hexadecimal digits.
_RANDOM_BYTES = 10
# Built once, on the bare table: for the insert of a login the mapper's unit of work costs more than the insert.
_sessions: Table = UserSession.__table__  # type: ignore[assignment]
_NEWEST_ID = select(func.max(_sessions.c.id)).where(_sessions.c.user_id == bindparam("user_id"))
_INSERT = insert(_sessions)


def new_session_id(now: datetime, *, after: str | None) -> str:
    """Draw an id that is greater than the user's newest one, even if the clocks of our instances differ.

    So "all sessions up to this id" is exact: it holds every earlier session and no later one.
    """
    milliseconds = _milliseconds(now)
    if after is not None:
        milliseconds = max(milliseconds, int(after[:_TIME_DIGITS], 16) + 1)
    return f"{milliseconds:0{_TIME_DIGITS}x}{secrets.token_hex(_RANDOM_BYTES)}"


def last_session_id(now: datetime) -> str:
    """Return the greatest id of the present millisecond."""
    return f"{_milliseconds(now):0{_TIME_DIGITS}x}{'f' * 2 * _RANDOM_BYTES}"


def _milliseconds(now: datetime) -> int:
    return int(now.timestamp() * 1000)


@dataclass(frozen=True)
class Page:
    """Some sessions, newest first; ``next_cursor`` is None on the last page."""

    items: Sequence[UserSession]
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True)
class Sessions:
    """All sessions, on the database. The gateways get to know an end after its commit, never before."""

    database: Database
    access_tokens: AccessTokens
    refresh_tokens: RefreshTokens
    revocations: Revocations
    lifetimes: Lifetimes
    clock: Callable[[], datetime]

    def begin(self, db: Session, user: User, device: Device) -> TokenPair:
        """Add a session of a user who just proved their identity, with the caller's transaction.

        The caller inserted the user's row or holds its lock, so the sessions of one user begin and end one at a time.
        """
        now = self.clock()
        connection = db.connection()
        newest_id = connection.scalar(_NEWEST_ID, {"user_id": user.id})
        token = self.refresh_tokens.first_token(new_session_id(now, after=newest_id))
        row = {
            "id": token.session_id,
            "user_id": user.id,
            "refresh_hash": token.digest,
            "created_at": now,
            "authenticated_at": now,
            "last_used_at": now,
            "expires_at": now + self.lifetimes.absolute,
            "user_agent": device.user_agent,
            "ip_prefix": device.ip_prefix,
        }
        connection.execute(_INSERT, row)
        return TokenPair(self.access_tokens.write_token(user, UserSession(**row), now), token)

    def replace(self, db: Session, user: User, session_id: str, device: Device) -> TokenPair:
        """End a session and begin another in its place (ASVS 7.2.4); as `begin`.

        Raises:
            Unauthenticated: the session is over already, or it is another user's.
        """
        now = self.clock()
        session = db.get(UserSession, session_id, with_for_update=True)
        if session is None or session.user_id != user.id or session.revoked_at is not None:
            raise Unauthenticated
        session.revoked_at = now
        _after_commit(db, lambda: self.revocations.end_sessions([session_id], now))
        return self.begin(db, user, device)

    def live_sessions(self, user_id: int, *, cursor: str | None, limit: int) -> Page:
        """List a user's live sessions; ``cursor`` is the last id of the page before."""
        now = self.clock()
        query = select(UserSession).where(
            UserSession.user_id == user_id,
            UserSession.revoked_at.is_(None),
            UserSession.expires_at > now,
            UserSession.last_used_at > now - self.lifetimes.idle,
        )
        if cursor is not None:
            query = query.where(UserSession.id < cursor)
        with self.database.read() as db:
            sessions = db.scalars(query.order_by(UserSession.id.desc()).limit(limit + 1)).all()
        return Page(sessions[:limit], sessions[limit - 1].id if len(sessions) > limit else None)

    def end(self, session_id: str, *, user_id: int, audited_as: str = "session_ended") -> None:
        """End one session of a user. To end it again is harmless, and informs the gateways again.

        ``audited_as`` is the event in the audit log.

        Raises:
            NotFound: the user has no such session.
        """
        now = self.clock()
        with self.database.write() as db:
            session = db.get(UserSession, session_id, with_for_update=True)
            if session is None or session.user_id != user_id:
                raise NotFound
            if session.revoked_at is None:
                session.revoked_at = now
                entry = AuditEntry(audited_as, user_id=user_id, actor_id=user_id, detail=session_id)
                write_audit_entry(db, entry, now=now)
        self.revocations.end_sessions([session_id], now)

    def end_others(self, user_id: int, *, but: str) -> None:
        """End all sessions of a user but one, in a transaction of its own."""
        with self.database.write() as db:
            self.revoke_others(db, user_id, but)

    def revoke_others(self, db: Session, user_id: int, but: str) -> None:
        """End all sessions of a user but one, with the caller's transaction."""
        now = self.clock()
        db.flush()
        db.get(User, user_id, with_for_update=True)
        others = (UserSession.user_id == user_id, UserSession.id != but)
        # Ended sessions with a valid token are among them, as in `end`: the gateways may have missed their end.
        may_have_token = UserSession.last_used_at > now - self.revocations.tokens_outlive_use
        ids = db.scalars(select(UserSession.id).where(*others, may_have_token)).all()
        _revoke(db, now, *others)
        entry = AuditEntry("sessions_ended", user_id=user_id, actor_id=user_id, detail="others")
        write_audit_entry(db, entry, now=now)
        _after_commit(db, lambda: self.revocations.end_sessions(ids, now))

    def end_all(self, user_id: int, *, actor_id: int | None = None) -> None:
        """End all sessions of a user in a transaction of its own; inside a transaction call `revoke_all`."""
        with self.database.write() as db:
            self.revoke_all(db, user_id, actor_id=actor_id)

    def revoke_all(self, db: Session, user_id: int, *, actor_id: int | None = None) -> None:
        """End all sessions of a user with the caller's transaction; ``actor_id`` is for the audit log.

        A session that begins later is not ended, even if it begins in the same transaction.
        """
        now = self.clock()
        db.flush()
        db.get(User, user_id, with_for_update=True)
        # The update comes first: only after it does MariaDB show this transaction the rows that others just committed.
        _revoke(db, now, UserSession.user_id == user_id)
        newest_id = db.scalar(select(func.max(UserSession.id)).where(UserSession.user_id == user_id))
        entry = AuditEntry("sessions_ended", user_id=user_id, actor_id=actor_id, detail="all")
        write_audit_entry(db, entry, now=now)
        if newest_id is not None:
            _after_commit(db, lambda: self.revocations.end_sessions_of_user(user_id, through=newest_id, now=now))

    def forget_all(self, db: Session, user_id: int) -> None:
        """End all sessions of a user who deletes the account, and erase the devices, with the caller's transaction.

        The rows stay: if Redis is away now, the gateways are informed from them later.
        """
        self.revoke_all(db, user_id, actor_id=user_id)
        erased = {"user_agent": "", "ip_prefix": ""}
        db.execute(update(UserSession).where(UserSession.user_id == user_id).values(**erased))


def _revoke(db: Session, now: datetime, *conditions: ColumnElement[bool]) -> None:
    db.execute(update(UserSession).where(UserSession.revoked_at.is_(None), *conditions).values(revoked_at=now))


def _after_commit(db: Session, act: Callable[[], None]) -> None:
    database_event.listen(db, "after_commit", lambda _db: act(), once=True)
