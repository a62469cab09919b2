"""The caller of a request, and the internal token in which the gateway and the services name it to each other.

HS256 JWT, ``aud`` is the one service that may read it, at most 60 seconds of life. ``iss`` is the service that calls;
the gateway's tokens carry the signed-in user, if there is one.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import jwt
from flask import g, request

from chassis.errors import InternalTokenRefused, Unauthenticated

INTERNAL_TOKEN_HEADER = "X-Internal-Token"
FORWARDED_FOR_HEADER = "X-Forwarded-For"
LIFETIME_SECONDS = 60
# The clocks of two services may be five minutes apart, as those of Kerberos (RFC 4120, 8.2): well before that the
# gateway refuses fresh access tokens and says why, and whoever is not signed in is served all the same. A token is in
# use for at most half of its life, as the gateway keeps them for so long. So a reader with a fast clock sees one up to
# 270 seconds after its end.
_CLOCKS_APART_SECONDS = 300
_FAST_CLOCK_SECONDS = _CLOCKS_APART_SECONDS - LIFETIME_SECONDS // 2
_MOST_KEPT = 10_000
_TYPE = "internal+jwt"  # RFC 8725 3.11: no other token can be taken for one of these.
GATEWAY = "gateway"


@dataclass(frozen=True)
class Caller:
    """The calling service, and through the gateway the user behind it (``user_id`` None: nobody is signed in).

    ``auth_time`` is the Unix time of the user's last authentication.
    """

    service: str
    user_id: int | None = None
    session_id: str | None = None
    roles: frozenset[str] = field(default_factory=frozenset)
    auth_time: int | None = None


def has_role(roles: Collection[str], role: str) -> bool:
    """Say whether a user with these roles may do what a role allows. An administrator may do what an editor may."""
    return role in roles or (role == "editor" and "admin" in roles)


class InternalTokens:
    """Writes and reads internal tokens with one shared key (at least 32 bytes).

    A token that was read is kept: the gateway uses one for half of its life, and PyJWT takes as long as a small view.
    Its end is checked each time.
    """

    def __init__(self, key: str, *, clock: Callable[[], float] = time.time) -> None:
        if len(key.encode()) < 32:
            raise ValueError("the internal token key needs at least 32 bytes")
        self._key = key
        self._clock = clock
        self._kept: dict[tuple[str, str], tuple[Caller, float]] = {}

    def write_token(self, caller: Caller, *, audience: str) -> str:
        """Write a token for one service, valid for 60 seconds."""
        now = int(self._clock())
        claims = {
            "iss": caller.service,
            "aud": audience,
            "sub": caller.service if caller.user_id is None else str(caller.user_id),
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
        }
        if caller.user_id is not None:
            claims |= {"sid": caller.session_id, "roles": sorted(caller.roles), "auth_time": caller.auth_time}
        return jwt.encode(claims, self._key, algorithm="HS256", headers={"typ": _TYPE})

    def read_token(self, token: str, *, audience: str) -> Caller:
        """Read a token that was written for this service.

        Raises:
            InternalTokenRefused: not ours, of another type, for another service, expired, or longer-lived than 60 s.
        """
        known = self._kept.get((token, audience))
        caller, expires_at = known or self._verified(token, audience)
        now = self._clock()
        if not now - _FAST_CLOCK_SECONDS <= expires_at <= now + LIFETIME_SECONDS + _CLOCKS_APART_SECONDS:
            raise InternalTokenRefused("The internal token is expired.")
        if known is None:
            if len(self._kept) >= _MOST_KEPT:
                self._kept = {}
            self._kept[token, audience] = caller, expires_at
        return caller

    def _verified(self, token: str, audience: str) -> tuple[Caller, float]:
        try:
            decoded = jwt.decode_complete(
                token,
                self._key,
                algorithms=["HS256"],
                audience=audience,
                options={"require": ["iss", "aud", "sub", "iat", "exp"], "verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError as error:
            raise InternalTokenRefused("The internal token is not acceptable.") from error
        if decoded["header"].get("typ") != _TYPE:
            raise InternalTokenRefused("The internal token is of another type.")
        claims = decoded["payload"]
        if "sid" not in claims:
            return Caller(claims["iss"]), claims["exp"]
        roles = frozenset(claims["roles"])
        return Caller(claims["iss"], int(claims["sub"]), claims["sid"], roles, claims["auth_time"]), claims["exp"]


def current_caller() -> Caller:
    """Return the caller of the present request; the app sets it before every view that needs an internal token."""
    caller: Caller = g.caller
    return caller


def current_user_id() -> int:
    """Return the signed-in user of the present request.

    Raises:
        Unauthenticated: nobody is signed in.
    """
    user_id = current_caller().user_id
    if user_id is None:
        raise Unauthenticated
    return user_id


def client_ip() -> str:
    """Return the address of the user's client, as the gateway saw it.

    Only the gateway and our services reach a service, and the gateway replaces what a client sends here.
    """
    forwarded = request.headers.get(FORWARDED_FOR_HEADER, "")
    return forwarded.rpartition(",")[2].strip() or request.remote_addr or ""
