"""What goes into a session and what comes out of one."""

from collections.abc import Sequence
from dataclasses import dataclass

from user_service.access_tokens import AccessToken
from user_service.models import User, UserSession
from user_service.refresh_tokens import RefreshToken


@dataclass(frozen=True)
class Device:
    """What is kept of the client that signs in, so that its owner recognises it."""

    user_agent: str
    ip_prefix: str


@dataclass(frozen=True)
class Grant:
    """The pair of tokens that a login or a refresh answers."""

    access: AccessToken
    refresh: RefreshToken


@dataclass(frozen=True)
class SignedIn:
    """A user and the tokens of the session that was just begun."""

    user: User
    grant: Grant


@dataclass(frozen=True)
class Page:
    """Some sessions, newest first; ``next_cursor`` is None at the end."""

    items: Sequence[UserSession]
    next_cursor: str | None
