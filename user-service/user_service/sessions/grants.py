"""What goes into a session and what comes out of one."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import request

from chassis.addresses import stored_prefix
from chassis.identity import client_ip
from user_service.models import User, UserSession
from user_service.tokens.access_tokens import AccessToken
from user_service.tokens.refresh_tokens import RefreshToken

_LONGEST_USER_AGENT = 256


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


def current_device() -> Device:
    """Describe the client: its user agent, cut and printable, and the network it calls from."""
    offered = request.headers.get("User-Agent", "")
    printable = "".join(character for character in offered if character.isprintable())
    return Device(user_agent=printable[:_LONGEST_USER_AGENT], ip_prefix=stored_prefix(client_ip()))
