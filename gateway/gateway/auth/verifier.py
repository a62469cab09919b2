"""Checks access tokens more strictly than PyJWT does, and caches verified ones until they expire.

The steps: 1. length and canonical base64url; 2. header without duplicates, with ``alg kid typ`` and nothing else;
3. key by id, ES256 only; 4. signature and claims by PyJWT; 5. payload without duplicates, exact types, harmless texts,
no longer life than user-service gives. Revocation is not checked here, and must be checked at every use.
"""

import base64
import hashlib
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any  # Header and claims are JSON objects of unknown content until they are checked.

import jwt

from chassis.errors import Unauthenticated
from chassis.identity import GATEWAY, Caller
from gateway.auth.public_keys import PublicKeys
from gateway.metrics import VERIFIED

MAX_TOKEN_CHARACTERS = 4096
# How far the clocks of the gateway and of user-service may be apart before fresh tokens are refused. An expired token
# has no such leeway: a gateway whose clock is fast makes sessions refresh early, and nothing worse.
CLOCK_LEEWAY_SECONDS = 60
# The longest life that user-service can be set to: a stolen key must not make tokens that are valid for years.
LONGEST_LIFE_SECONDS = 3600
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_INERT = re.compile(r"[A-Za-z0-9_.:@/+=-]{1,128}")
_REQUIRED = ["iss", "aud", "sub", "sid", "jti", "iat", "exp", "auth_time", "roles"]


class IssuedInFuture(Unauthenticated):
    """The token is genuine, and by this gateway's clock it is not valid yet: the clocks are apart."""


@dataclass(frozen=True)
class Identity:
    """A signed-in user as an access token names them; times are Unix seconds."""

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
    """A valid token's identity, and the key that its signature was checked with."""

    identity: Identity
    key_id: str


class TokenVerifier:
    """Verifies access tokens of one issuer for one audience."""

    def __init__(
        self,
        keys: PublicKeys,
        *,
        issuer: str,
        audience: str,
        cached_per_generation: int = 25_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._cached_per_generation = cached_per_generation
        self._clock = clock
        self._young: dict[bytes, _Verified] = {}
        self._old: dict[bytes, _Verified] = {}

    def verify_token(self, token: str) -> Identity:
        """Return who the token belongs to.

        Raises:
            Unauthenticated: the token is not valid; the error does not say why to clients.
            IssuedInFuture: it is genuine, but not valid yet.
            DependencyUnavailable: the keys are not known.
        """
        # By digest, so that the cache holds no bearer tokens.
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        known = self._young.get(digest) or self._old.get(digest)
        if known is None or not self._keys.has_key(known.key_id):
            known = self._verify_anew(token)
            self._cache(digest, known)
            VERIFIED.labels("verified").inc()
        if known.identity.expires_at <= self._clock():
            raise Unauthenticated
        return known.identity

    def _verify_anew(self, token: str) -> _Verified:
        try:
            return self._verified(token)
        except IssuedInFuture:
            VERIFIED.labels("in_future").inc()
            raise
        except (jwt.PyJWTError, ValueError, KeyError, TypeError, RecursionError) as error:
            VERIFIED.labels("refused").inc()
            raise Unauthenticated from error

    def _verified(self, token: str) -> _Verified:
        if len(token) > MAX_TOKEN_CHARACTERS or not _FORM.fullmatch(token):
            raise ValueError("not a compact JWS")
        header, payload, _signature = (_decode_segment(part) for part in token.split("."))
        key_id = _read_key_id(_read_object(header))
        key = self._keys.find_key(key_id)
        if key is None:
            raise ValueError("unknown key id")
        jwt.decode(
            token,
            key,
            algorithms=["ES256"],
            audience=self._audience,
            issuer=self._issuer,
            # The times are ours to check: PyJWT has one leeway for all of them, and a clock of its own.
            options={
                "require": _REQUIRED,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
                "strict_aud": True,
            },
        )
        return _Verified(self._identity(_read_object(payload)), key_id)

    def _identity(self, claims: dict[str, Any]) -> Identity:
        roles = claims["roles"]
        if not re.fullmatch(r"[1-9][0-9]{0,18}", claims["sub"]):
            raise ValueError("unacceptable subject")
        if not _INERT.fullmatch(claims["sid"]) or not _INERT.fullmatch(claims["jti"]):
            raise ValueError("unacceptable session or token id")
        if type(roles) is not list or not all(isinstance(role, str) and _INERT.fullmatch(role) for role in roles):
            raise ValueError("unacceptable roles")
        self._check_times(claims)  # At the end: the times of another program's token say nothing about clocks.
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
        if claims["exp"] - claims["iat"] > LONGEST_LIFE_SECONDS:
            raise ValueError("too long-lived to be ours")
        if max(claims["iat"], claims["auth_time"], claims.get("nbf", 0)) > self._clock() + CLOCK_LEEWAY_SECONDS:
            raise IssuedInFuture

    def _cache(self, digest: bytes, verified: _Verified) -> None:
        if len(self._young) >= self._cached_per_generation:
            self._old, self._young = self._young, {}
        self._young[digest] = verified


def _read_key_id(header: dict[str, Any]) -> str:
    """Return the key id of a header that says ``alg``, ``kid`` and ``typ`` (RFC 9068) and nothing else.

    Raises:
        ValueError: the header says anything else.
    """
    if set(header) != {"alg", "kid", "typ"} or header["typ"] != "at+jwt" or header["alg"] != "ES256":
        raise ValueError("unacceptable header")
    if not isinstance(header["kid"], str) or not _KEY_ID.fullmatch(header["kid"]):
        raise ValueError("unacceptable key id")
    return header["kid"]


def _decode_segment(segment: str) -> bytes:
    """Decode base64url (RFC 7515 2), in its one canonical form.

    Raises:
        ValueError: it is padded, or has bits that mean nothing.
    """
    data = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != segment:
        raise ValueError("not canonical base64url")
    return data


def _read_object(text: bytes) -> dict[str, Any]:
    """Parse a JSON object in UTF-8 (RFC 7515 4 and RFC 7519 7.2) in which no member stands twice.

    Raises:
        ValueError: it is no such object.
    """
    # From bytes, `json.loads` would also read UTF-16 and UTF-32, and skip a byte order mark.
    value = json.loads(text.decode("utf-8"), object_pairs_hook=_without_duplicates)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - one kind of error for every malformed token.
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate members")
    return members
