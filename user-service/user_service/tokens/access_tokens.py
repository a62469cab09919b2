"""Access tokens: ES256 JWTs of ten minutes (RFC 9068), the key set that verifies them, and the age of their proof."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt

from chassis.errors import StepUpRequired
from chassis.identity import current_caller
from user_service.models import User, UserSession
from user_service.tokens.key_ring import SigningKeys
from user_service.tokens.refresh_tokens import RefreshToken


@dataclass(frozen=True)
class AccessToken:
    """A signed token and the seconds until it expires."""

    text: str
    expires_in: int


@dataclass(frozen=True)
class TokenPair:
    """The two tokens that a login or a token refresh answers."""

    access: AccessToken
    refresh: RefreshToken


@dataclass(frozen=True)
class SignedIn:
    """A user and the tokens of the session that was just begun."""

    user: User
    tokens: TokenPair


@dataclass(frozen=True, kw_only=True)
class AccessTokens:
    """Writes tokens with the active key. The gateway verifies them."""

    keys: SigningKeys
    issuer: str
    audience: str
    lifetime: timedelta

    def write_token(self, user: User, session: UserSession, now: datetime) -> AccessToken:
        """Write a token that never outlives its session."""
        issued_at = int(now.timestamp())
        expires_at = int(min(now + self.lifetime, session.expires_at).timestamp())
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": str(user.id),
            "sid": session.id,
            "jti": uuid.uuid4().hex,
            "iat": issued_at,
            "exp": expires_at,
            "auth_time": int(session.authenticated_at.timestamp()),
            "roles": user.roles,
        }
        key = self.keys.ring().active
        headers = {"typ": "at+jwt", "kid": key.kid}
        text = jwt.encode(claims, key.private_key, algorithm="ES256", headers=headers)
        return AccessToken(text, expires_at - issued_at)

    def public_keys(self) -> dict[str, list[dict[str, str]]]:
        """Return the JSON Web Key Set (RFC 7517)."""
        return {"keys": self.keys.ring().public_jwks()}


def require_recent_authentication(now: datetime) -> None:
    """Allow the current request only if its user authenticated a few minutes ago.

    Everything that could take an account over requires this: a stolen token of an old session must not be enough.

    Raises:
        StepUpRequired: ``auth_time`` of the session's tokens is more than `StepUpRequired.MAX_AGE_SECONDS` ago.
    """
    authenticated_at = current_caller().auth_time
    if authenticated_at is None or now.timestamp() - authenticated_at > StepUpRequired.MAX_AGE_SECONDS:
        raise StepUpRequired
