"""Access tokens: ES256 JWTs of ten minutes (RFC 9068), and the key set that verifies them."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt

from user_service.models import User, UserSession
from user_service.tokens.key_store import SigningKeys


@dataclass(frozen=True)
class AccessToken:
    """A signed token and the seconds it lives."""

    text: str
    expires_in: int


class AccessTokens:
    """Writes tokens with the active key. Verifying them is the gateway's work."""

    def __init__(self, keys: SigningKeys, *, issuer: str, audience: str, lifetime_seconds: int) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._lifetime = timedelta(seconds=lifetime_seconds)

    def write(self, user: User, session: UserSession, now: datetime) -> AccessToken:
        """Write a token that never outlives its session."""
        issued_at = int(now.timestamp())
        expires_at = int(min(now + self._lifetime, session.expires_at).timestamp())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(user.id),
            "sid": session.id,
            "jti": uuid.uuid4().hex,
            "iat": issued_at,
            "exp": expires_at,
            "auth_time": int(session.authenticated_at.timestamp()),
            "roles": user.roles,
        }
        key = self._keys.ring().active
        headers = {"typ": "at+jwt", "kid": key.kid}
        text = jwt.encode(claims, key.private_key, algorithm="ES256", headers=headers)
        return AccessToken(text, expires_at - issued_at)

    def public_keys(self) -> dict[str, list[dict[str, str]]]:
        """Return the JSON Web Key Set (RFC 7517)."""
        return {"keys": self._keys.ring().public_jwks()}
