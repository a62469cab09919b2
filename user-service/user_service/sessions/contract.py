"""What requests and answers about sessions look like."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from user_service.accounts.contract import CodeText, MobileText, OwnUser, PasswordText, Request

SessionId = Annotated[str, Field(min_length=1, max_length=64, pattern="^[0-9a-f]+$")]


class ReauthenticationRequest(Request):
    """Either the password or a code that was texted for the purpose ``reauthenticate``."""

    password: PasswordText | None = None
    sms_code: CodeText | None = None
    create_user: Annotated[bool, Field(description="With sms_code: open an account if there is none.")] = False

    @model_validator(mode="after")
    def _check_proof(self) -> Self:
        if (self.password is None) == (self.sms_code is None):
            raise ValueError("send either password or sms_code")
        if self.create_user and self.sms_code is None:
            raise ValueError("create_user needs an sms_code")
        return self


class LoginRequest(ReauthenticationRequest):
    """A mobile and either its password or a code that was texted for the purpose ``login``.

    After several failures a password goes with an answered captcha.
    """

    mobile: MobileText
    captcha_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    captcha_text: Annotated[str, Field(min_length=1, max_length=64)] | None = None

    @model_validator(mode="after")
    def _check_captcha(self) -> Self:
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

    model_config = ConfigDict(extra="forbid")
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

    keys: list[dict[str, Any]]  # Any: the members differ by kind of key.
