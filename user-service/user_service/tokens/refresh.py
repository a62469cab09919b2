"""Token refresh: exchanges a refresh token for its successor and a new access token."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from chassis.database import Database
from chassis.errors import Unauthenticated
from user_service.audit.log import AuditEntry, write_audit_entry
from user_service.models import User, UserSession
from user_service.tokens.access_tokens import AccessTokens, TokenPair
from user_service.tokens.refresh_tokens import RefreshToken, RefreshTokens, Verdict, parse_refresh_token
from user_service.tokens.revocations import Revocations


@dataclass(frozen=True, kw_only=True)
class TokenRefresh:
    """Exchanges refresh tokens, on the database."""

    database: Database
    access_tokens: AccessTokens
    refresh_tokens: RefreshTokens
    revocations: Revocations
    clock: Callable[[], datetime]

    def refresh(self, text: str) -> TokenPair:
        """Exchange a refresh token.

        Raises:
            Unauthenticated: the text is no token of ours, its session is over, its user is banned or deleted, or the
                token was used before. The last case ends the session, because one of two holders of the token stole it.
            DependencyUnavailable: the database is away.
        """
        token = parse_refresh_token(text)
        if token is None:
            raise Unauthenticated
        pair, verdict = self._exchange(token)
        if verdict is Verdict.REUSED:
            self.revocations.end_sessions([token.session_id], self.clock())
        if pair is None:
            raise Unauthenticated
        return pair

    def _exchange(self, token: RefreshToken) -> tuple[TokenPair | None, Verdict]:
        now = self.clock()
        with self.database.write() as db:
            # The row lock serialises parallel refreshes (SQLite has one writer anyway).
            session = db.get(UserSession, token.session_id, with_for_update=True)
            if session is None:
                return None, Verdict.REFUSED
            verdict = self.refresh_tokens.judge_token(token, session, now)
            if verdict is Verdict.REUSED and session.revoked_at is None:
                session.revoked_at = now
                entry = AuditEntry("refresh_token_reused", user_id=session.user_id, detail=session.id)
                write_audit_entry(db, entry, now=now)
            if verdict not in (Verdict.CURRENT, Verdict.REPEATED):
                return None, verdict
            user = db.get_one(User, session.user_id)
            if not user.may_sign_in(now):
                return None, Verdict.REFUSED
            successor = self.refresh_tokens.successor(token)
            if verdict is Verdict.CURRENT:
                session.refresh_hash, session.refresh_generation = successor.digest, successor.generation
                session.last_used_at = now
            return TokenPair(self.access_tokens.write_token(user, session, now), successor), verdict
