"""Signed-in devices: begun by a login, kept by refreshing, listed and ended by their owner."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.errors import NotFound, Unauthenticated
from user_service.access_tokens import AccessTokens
from user_service.grants import Device, Grant, Page
from user_service.models import User, UserSession
from user_service.refresh_tokens import Lifetimes, RefreshToken, RefreshTokens, Verdict, parse_refresh_token
from user_service.revocations import Revocations


class Sessions:
    """All sessions, on the database."""

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
        """Add a session of a user who just proved who they are, to the caller's transaction."""
        now = self._clock()
        token = self._refresh_tokens.first(_new_session_id(now))
        session = UserSession(
            id=token.session_id,
            user_id=user.id,
            refresh_hash=token.digest,
            created_at=now,
            authenticated_at=now,
            last_used_at=now,
            expires_at=now + self._lifetimes.absolute,
            user_agent=device.user_agent,
            ip_prefix=device.ip_prefix,
        )
        db.add(session)
        return Grant(self._access_tokens.write(user, session, now), token)

    def refresh(self, text: str) -> Grant:
        """Exchange a refresh token for its successor and a fresh access token.

        Raises:
            Unauthenticated: not a token of ours, its session is over, or it was used before. The last ends the
                session, because one of two holders of the token is a thief.
            DependencyUnavailable: the database or, when a session must be ended, Redis is away.
        """
        token = parse_refresh_token(text)
        if token is None:
            raise Unauthenticated
        grant, verdict = self._exchange(token)
        if verdict is Verdict.REUSED:
            self._revocations.end_session(token.session_id, self._clock())
        if grant is None:
            raise Unauthenticated
        return grant

    def _exchange(self, token: RefreshToken) -> tuple[Grant | None, Verdict]:
        now = self._clock()
        with self._database.write() as db:
            # The row lock makes parallel refreshes take turns (SQLite has one writer anyway).
            session = db.get(UserSession, token.session_id, with_for_update=True)
            if session is None:
                return None, Verdict.REFUSED
            verdict = self._refresh_tokens.judge(token, session, now)
            if verdict is Verdict.REUSED:
                session.revoked_at = session.revoked_at or now
            if verdict not in (Verdict.CURRENT, Verdict.REPEATED):
                return None, verdict
            successor = self._refresh_tokens.successor(token)
            if verdict is Verdict.CURRENT:
                session.refresh_hash, session.refresh_generation = successor.digest, successor.generation
                session.last_used_at = now
            user = db.get_one(User, session.user_id)
            return Grant(self._access_tokens.write(user, session, now), successor), verdict

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

    def end(self, session_id: str, *, user_id: int) -> None:
        """End one session of a user; ending it again is harmless, and tells the gateways again.

        Raises:
            NotFound: the user has no such session.
            DependencyUnavailable: the database or Redis is away; repeat the call.
        """
        now = self._clock()
        with self._database.write() as db:
            session = db.get(UserSession, session_id, with_for_update=True)
            if session is None or session.user_id != user_id:
                raise NotFound
            session.revoked_at = session.revoked_at or now
        # After the commit: an end that was announced and then rolled back would sign nobody out for good.
        self._revocations.end_session(session_id, now)

    def revoke_all(self, db: Session, user_id: int, *, except_id: str | None = None) -> Sequence[str]:
        """End a user's sessions but one in the caller's transaction; `announce` their ids after its commit."""
        sessions = db.scalars(
            select(UserSession)
            .where(
                UserSession.user_id == user_id, UserSession.revoked_at.is_(None), UserSession.id != (except_id or "")
            )
            .with_for_update()
        ).all()
        for session in sessions:
            session.revoked_at = self._clock()
        return [session.id for session in sessions]

    def forget_all(self, db: Session, user_id: int) -> Sequence[str]:
        """Delete a user's sessions in the caller's transaction; `announce` their ids after its commit."""
        ended = self.revoke_all(db, user_id)
        db.execute(delete(UserSession).where(UserSession.user_id == user_id))
        return ended

    def announce(self, session_ids: Iterable[str]) -> None:
        """Tell the gateways that sessions are over.

        Raises:
            DependencyUnavailable: Redis is away; they cannot be refreshed, and their last tokens live for minutes.
        """
        now = self._clock()
        for session_id in session_ids:
            self._revocations.end_session(session_id, now)


def _new_session_id(now: datetime) -> str:
    """Draw an id that sorts by time: 48 bits of milliseconds, then 80 random bits, as in a ULID."""
    return f"{int(now.timestamp() * 1000):012x}{secrets.token_hex(10)}"
