"""Staying signed in: a refresh token is exchanged for its successor and a fresh access token."""

from collections.abc import Callable
from datetime import datetime

from chassis.database import Database
from chassis.errors import Unauthenticated
from user_service.audit.log import Happening, record
from user_service.models import User, UserSession
from user_service.sessions.grants import Grant
from user_service.tokens.access_tokens import AccessTokens
from user_service.tokens.refresh_tokens import RefreshToken, RefreshTokens, Verdict, parse_refresh_token
from user_service.tokens.revocations import Revocations


class Renewing:
    """Exchanges refresh tokens, on the database."""

    def __init__(
        self,
        database: Database,
        access_tokens: AccessTokens,
        refresh_tokens: RefreshTokens,
        revocations: Revocations,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._access_tokens = access_tokens
        self._refresh_tokens = refresh_tokens
        self._revocations = revocations
        self._clock = clock

    def refresh(self, text: str) -> Grant:
        """Exchange a refresh token.

        Raises:
            Unauthenticated: not a token of ours, its session is over, its user banned or deleted, or it was used
                before. The last ends the session, because one of two holders of the token is a thief.
            DependencyUnavailable: the database is away.
        """
        token = parse_refresh_token(text)
        if token is None:
            raise Unauthenticated
        grant, verdict = self._exchange(token)
        if verdict is Verdict.REUSED:
            self._revocations.end_sessions([token.session_id], self._clock())
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
            if verdict is Verdict.REUSED and session.revoked_at is None:
                session.revoked_at = now
                record(db, Happening("refresh_token_reused", user_id=session.user_id, detail=session.id), now=now)
            if verdict not in (Verdict.CURRENT, Verdict.REPEATED):
                return None, verdict
            user = db.get_one(User, session.user_id)
            if not user.may_enter(now):
                return None, Verdict.REFUSED
            successor = self._refresh_tokens.successor(token)
            if verdict is Verdict.CURRENT:
                session.refresh_hash, session.refresh_generation = successor.digest, successor.generation
                session.last_used_at = now
            return Grant(self._access_tokens.write(user, session, now), successor), verdict
