"""Signed-in devices: begun by a proof of identity, listed and ended by their owner."""

import secrets
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import ColumnElement, Table, bindparam, func, insert, select, update
from sqlalchemy import event as database_event
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.errors import NotFound, Unauthenticated
from user_service.audit.log import Happening, record
from user_service.models import User, UserSession
from user_service.sessions.grants import Device, Grant, Page
from user_service.tokens.access_tokens import AccessTokens
from user_service.tokens.refresh_tokens import Lifetimes, RefreshTokens
from user_service.tokens.revocations import Revocations

_TIME_DIGITS = 12  # 48 bits of milliseconds, in hexadecimal digits.
_RANDOM_BYTES = 10


def new_session_id(now: datetime, *, after: str | None) -> str:
    """Draw an id that is greater than the newest of the same user, whatever the clocks of our instances say.

    So "all sessions up to this id" is exact: none that begins later is caught, and none before is missed.
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


# What a login needs is built once, on the bare table: the unit of work of the mapper costs more than the insert.
_sessions: Table = UserSession.__table__  # type: ignore[assignment]
_NEWEST = select(func.max(_sessions.c.id)).where(_sessions.c.user_id == bindparam("user_id"))
_ADD = insert(_sessions)


class Sessions:
    """All sessions, on the database. Whatever ends here is told to the gateways after the commit, never before."""

    def __init__(
        self,
        database: Database,
        access_tokens: AccessTokens,
        refresh_tokens: RefreshTokens,
        revocations: Revocations,
        *,
        lifetimes: Lifetimes,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._access_tokens = access_tokens
        self._refresh_tokens = refresh_tokens
        self._revocations = revocations
        self._lifetimes = lifetimes
        self._clock = clock

    def begin(self, db: Session, user: User, device: Device) -> Grant:
        """Add a session of a user who just proved who they are, to the caller's transaction.

        The caller made the user's row or holds its lock, so that sessions of one user begin and end in turns.
        """
        now = self._clock()
        connection = db.connection()
        newest = connection.scalar(_NEWEST, {"user_id": user.id})
        token = self._refresh_tokens.first(new_session_id(now, after=newest))
        row = {
            "id": token.session_id,
            "user_id": user.id,
            "refresh_hash": token.digest,
            "created_at": now,
            "authenticated_at": now,
            "last_used_at": now,
            "expires_at": now + self._lifetimes.absolute,
            "user_agent": device.user_agent,
            "ip_prefix": device.ip_prefix,
        }
        connection.execute(_ADD, row)
        return Grant(self._access_tokens.write(user, UserSession(**row), now), token)

    def replace(self, db: Session, user: User, session_id: str, device: Device) -> Grant:
        """Begin a session in place of one that ends (ASVS 7.2.4); as `begin`.

        Raises:
            Unauthenticated: the one to be replaced is over, or not this user's.
        """
        now = self._clock()
        session = db.get(UserSession, session_id, with_for_update=True)
        if session is None or session.user_id != user.id or session.revoked_at is not None:
            raise Unauthenticated
        session.revoked_at = now
        _after_commit(db, lambda: self._revocations.end_sessions([session_id], now))
        return self.begin(db, user, device)

    def live_of(self, user_id: int, *, cursor: str | None, limit: int) -> Page:
        """List a user's live sessions; ``cursor`` is the id that the page before ended with."""
        now = self._clock()
        query = select(UserSession).where(
            UserSession.user_id == user_id,
            UserSession.revoked_at.is_(None),
            UserSession.expires_at > now,
            UserSession.last_used_at > now - self._lifetimes.idle,
        )
        if cursor is not None:
            query = query.where(UserSession.id < cursor)
        with self._database.read() as db:
            found = db.scalars(query.order_by(UserSession.id.desc()).limit(limit + 1)).all()
        return Page(found[:limit], found[limit - 1].id if len(found) > limit else None)

    def end(self, session_id: str, *, user_id: int, audited_as: str = "session_ended") -> None:
        """End one session of a user; ending it again is harmless, and tells the gateways again.

        ``audited_as`` names the end in the audit log.

        Raises:
            NotFound: the user has no such session.
        """
        now = self._clock()
        with self._database.write() as db:
            session = db.get(UserSession, session_id, with_for_update=True)
            if session is None or session.user_id != user_id:
                raise NotFound
            if session.revoked_at is None:
                session.revoked_at = now
                record(db, Happening(audited_as, user_id=user_id, actor_id=user_id, detail=session_id), now=now)
        self._revocations.end_sessions([session_id], now)

    def end_others(self, user_id: int, *, but: str) -> None:
        """End all sessions of a user but one in a transaction of its own."""
        with self._database.write() as db:
            self.revoke_others(db, user_id, but=but)

    def revoke_others(self, db: Session, user_id: int, *, but: str) -> None:
        """End all sessions of a user but one with the caller's transaction."""
        now = self._clock()
        db.flush()
        db.get(User, user_id, with_for_update=True)
        others = (UserSession.user_id == user_id, UserSession.id != but)
        # The ended ones too, as `end` does: the gateways may have missed them.
        ids = db.scalars(select(UserSession.id).where(*others, _recent(now - self._revocations.kept))).all()
        _revoke(db, now, *others)
        record(db, Happening("sessions_ended", user_id=user_id, actor_id=user_id, detail="others"), now=now)
        _after_commit(db, lambda: self._revocations.end_sessions(ids, now))

    def end_all(self, user_id: int, *, actor_id: int | None = None) -> None:
        """End all sessions of a user in a transaction of its own; for a use case with one, there is `revoke_all`."""
        with self._database.write() as db:
            self.revoke_all(db, user_id, actor_id=actor_id)

    def revoke_all(self, db: Session, user_id: int, *, actor_id: int | None = None) -> None:
        """End all sessions of a user with the caller's transaction; ``actor_id`` is who wants it, for the audit log.

        A session that begins later, in the same transaction too, is not touched.
        """
        now = self._clock()
        db.flush()
        db.get(User, user_id, with_for_update=True)
        # In this order: MariaDB shows a transaction the rows that others just committed once it has changed them.
        _revoke(db, now, UserSession.user_id == user_id)
        newest = db.scalar(select(func.max(UserSession.id)).where(UserSession.user_id == user_id))
        record(db, Happening("sessions_ended", user_id=user_id, actor_id=actor_id, detail="all"), now=now)
        if newest is not None:
            _after_commit(db, lambda: self._revocations.end_user(user_id, through=newest, now=now))

    def forget_all(self, db: Session, user_id: int) -> None:
        """End all sessions of a user who goes, and what they tell of the person, with the caller's transaction.

        The rows stay: they are what the gateways are told from, should Redis be away now.
        """
        self.revoke_all(db, user_id, actor_id=user_id)
        nothing = {"user_agent": "", "ip_prefix": ""}
        db.execute(update(UserSession).where(UserSession.user_id == user_id).values(**nothing))


def _recent(since: datetime) -> ColumnElement[bool]:
    """Choose the sessions that may have a living token."""
    return UserSession.last_used_at > since


def _revoke(db: Session, now: datetime, *of: ColumnElement[bool]) -> None:
    db.execute(update(UserSession).where(UserSession.revoked_at.is_(None), *of).values(revoked_at=now))


def _after_commit(db: Session, act: Callable[[], None]) -> None:
    database_event.listen(db, "after_commit", lambda _db: act(), once=True)
