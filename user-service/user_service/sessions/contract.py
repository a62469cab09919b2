"""The requests and answers about sessions. The OpenAPI document is generated from the models."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self  # Any: JSON objects hold anything.

from flask import request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from chassis.addresses import stored_prefix
from chassis.identity import client_ip
from user_service.accounts.contract import CodeText, MobileText, OwnUser, PasswordText, Request, own_user, rfc3339
from user_service.models import Device, UserSession
from user_service.sessions.sessions import Page
from user_service.tokens.access_tokens import SignedIn, TokenPair

_LONGEST_USER_AGENT = 256
SessionId = Annotated[str, Field(min_length=1, max_length=64, pattern="^[0-9a-f]+$")]


class ReauthenticationRequest(Request):
    """Either the password or a code that was texted for the purpose ``reauthenticate``."""

    password: PasswordText | None = None
    sms_code: CodeText | None = None

    @model_validator(mode="after")
    def _check_proof(self) -> Self:
        if (self.password is None) == (self.sms_code is None):
            raise ValueError("send either password or sms_code")
        return self


class LoginRequest(ReauthenticationRequest):
    """A mobile and either its password or a code that was texted for the purpose ``login``.

    After several failures a password goes with an answered captcha.
    """

    mobile: MobileText
    create_user: Annotated[bool, Field(description="With sms_code: open an account if there is none.")] = False
    captcha_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    captcha_text: Annotated[str, Field(min_length=1, max_length=64)] | None = None

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        if self.create_user and self.sms_code is None:
            raise ValueError("create_user needs an sms_code")
        if (self.captcha_id is None) != (self.captcha_text is None):
            raise ValueError("send captcha_id and captcha_text together")
        if self.captcha_id is not None and self.password is None:
            raise ValueError("a captcha goes with a password only")
        return self


class RefreshRequest(Request):
    """The newest refresh token of a session."""

    refresh_token: Annotated[str, Field(min_length=1, max_length=256)]


class SessionPath(BaseModel):
    """The id in the address."""

    session_id: SessionId


class ScopeQuery(BaseModel):
    """Which of the own sessions are meant: all, or all but the one that asks."""

    model_config = ConfigDict(extra="forbid")
    scope: Literal["others", "all"]


class PageQuery(BaseModel):
    """Where a page of a list begins and how long it is."""

    cursor: SessionId | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20


class TokensAnswer(BaseModel):
    """A fresh pair of tokens."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: Annotated[int, Field(description="Seconds that the access token lives.")]
    refresh_token: str


class SignedInAnswer(TokensAnswer):
    """The user who just signed in, and their tokens."""

    user: OwnUser


class SessionAnswer(BaseModel):
    """One signed-in device."""

    id: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    user_agent: str
    ip_prefix: str
    is_current: bool


class SessionsAnswer(BaseModel):
    """A page of sessions, newest first."""

    items: list[SessionAnswer]
    next_cursor: str | None


class KeySet(BaseModel):
    """A JSON Web Key Set (RFC 7517)."""

    keys: list[dict[str, Any]]


def current_device() -> Device:
    """Describe the client of the current request: its user agent, cut and printable, and its network."""
    user_agent = request.headers.get("User-Agent", "")
    printable = "".join(character for character in user_agent if character.isprintable())
    return Device(user_agent=printable[:_LONGEST_USER_AGENT], ip_prefix=stored_prefix(client_ip()))


def token_pair(tokens: TokenPair) -> dict[str, Any]:
    """Return a pair of tokens."""
    return {
        "access_token": tokens.access.text,
        "token_type": "Bearer",
        "expires_in": tokens.access.expires_in,
        "refresh_token": str(tokens.refresh),
    }


def signed_in(result: SignedIn) -> dict[str, Any]:
    """Return the answer to a registration or a login."""
    return {"user": own_user(result.user), **token_pair(result.tokens)}


def sessions_page(page: Page, *, current_id: str | None) -> dict[str, Any]:
    """Return a page of sessions, and mark the session of the request."""
    return {"items": [_session(item, current_id) for item in page.items], "next_cursor": page.next_cursor}


def _session(session: UserSession, current_id: str | None) -> dict[str, Any]:
    return {
        "id": session.id,
        "created_at": rfc3339(session.created_at),
        "last_used_at": rfc3339(session.last_used_at),
        "expires_at": rfc3339(session.expires_at),
        "user_agent": session.user_agent,
        "ip_prefix": session.ip_prefix,
        "is_current": session.id == current_id,
    }
