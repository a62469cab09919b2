"""Checks access tokens strictly: what PyJWT lets pass is refused around it, verified ones are kept until they expire.

The steps: 1. length and canonical base64url; 2. header without duplicates, with ``alg kid typ`` and nothing else;
3. key by id, ES256 only; 4. signature and claims by PyJWT; 5. payload without duplicates, exact types, harmless texts,
no longer life than user-service gives. Revocation is not checked here, and must be checked at every use.
"""

import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt

from chassis.errors import Unauthenticated
from chassis.identity import GATEWAY, Caller
from gateway.compact_jws import checked_key_id, decoded_segment, json_object
from gateway.keys import PublicKeys
from gateway.observation import VERIFIED

MAX_TOKEN_CHARACTERS = 4096
LEEWAY_SECONDS = 5
# The most that user-service can be set to; who steals a key shall not write a token for years.
LONGEST_LIFE_SECONDS = 3600
_CACHED_PER_GENERATION = 25_000
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_INERT = re.compile(r"[A-Za-z0-9_.:@/+=-]{1,128}")
_REQUIRED = ["iss", "aud", "sub", "sid", "jti", "iat", "exp", "auth_time", "roles"]


@dataclass(frozen=True)
class Identity:
    """A signed-in user as an access token says it; times are Unix seconds."""

    user_id: int
    session_id: str
    roles: frozenset[str]
    auth_time: int
    expires_at: int

    @property
    def caller(self) -> Caller:
        """The user behind our own calls to the services."""
        return Caller(GATEWAY, self.user_id, self.session_id, self.roles, self.auth_time)


@dataclass(frozen=True)
class _Verified:
    """A token that was found good, and the key that says so."""

    identity: Identity
    key_id: str


class TokenVerifier:
    """Verifies access tokens of one issuer for one audience."""

    def __init__(self, keys: PublicKeys, *, issuer: str, audience: str, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._young: dict[bytes, _Verified] = {}
        self._old: dict[bytes, _Verified] = {}

    def verify(self, token: str) -> Identity:
        """Return who the token belongs to.

        Raises:
            Unauthenticated: for whatever is wrong with it; the answer does not say what.
            DependencyUnavailable: the keys are not known.
        """
        # By digest, so that no bearer tokens lie in the memory.
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        known = self._young.get(digest) or self._old.get(digest)
        if known is None or not self._keys.knows(known.key_id):
            known = self._verify_anew(token)
            self._keep(digest, known)
            VERIFIED.labels("verified").inc()
        if known.identity.expires_at + LEEWAY_SECONDS <= self._clock():
            raise Unauthenticated
        return known.identity

    def _verify_anew(self, token: str) -> _Verified:
        try:
            return self._verified(token)
        except (jwt.PyJWTError, ValueError, KeyError, TypeError, RecursionError) as error:
            VERIFIED.labels("refused").inc()
            raise Unauthenticated from error

    def _verified(self, token: str) -> _Verified:
        if len(token) > MAX_TOKEN_CHARACTERS or not _FORM.fullmatch(token):
            raise ValueError("not a compact JWS")
        header, payload, _signature = (decoded_segment(part) for part in token.split("."))
        key_id = checked_key_id(json_object(header))
        key = self._keys.find(key_id)
        if key is None:
            raise ValueError("unknown key id")
        jwt.decode(
            token,
            key,
            algorithms=["ES256"],
            audience=self._audience,
            issuer=self._issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": _REQUIRED, "verify_exp": False, "verify_iat": False, "strict_aud": True},
        )
        return _Verified(self._identity(json_object(payload)), key_id)

    def _identity(self, claims: dict[str, Any]) -> Identity:
        roles = claims["roles"]
        self._check_times(claims)
        if not re.fullmatch(r"[1-9][0-9]{0,18}", claims["sub"]):
            raise ValueError("unacceptable subject")
        if not _INERT.fullmatch(claims["sid"]) or not _INERT.fullmatch(claims["jti"]):
            raise ValueError("unacceptable session or token id")
        if type(roles) is not list or not all(isinstance(role, str) and _INERT.fullmatch(role) for role in roles):
            raise ValueError("unacceptable roles")
        return Identity(
            user_id=int(claims["sub"]),
            session_id=claims["sid"],
            roles=frozenset(roles),
            auth_time=claims["auth_time"],
            expires_at=claims["exp"],
        )

    def _check_times(self, claims: dict[str, Any]) -> None:
        if any(type(claims[name]) is not int for name in ("iat", "exp", "auth_time", "nbf") if name in claims):
            raise ValueError("times must be whole numbers")
        if max(claims["iat"], claims["auth_time"]) > self._clock() + LEEWAY_SECONDS:
            raise ValueError("issued, or its user's identity proved, in the future")
        if claims["exp"] - claims["iat"] > LONGEST_LIFE_SECONDS:
            raise ValueError("too long-lived to be ours")

    def _keep(self, digest: bytes, verified: _Verified) -> None:
        if len(self._young) >= _CACHED_PER_GENERATION:
            self._old, self._young = self._young, {}
        self._young[digest] = verified
