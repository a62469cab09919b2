"""What requests and answers of administrators look like."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from user_service.accounts.contract import MobileText, NickNameText, Request, UserId, storable

_LARGEST_EVENT_ID = 2**63 - 1
Limit = Annotated[int, Field(ge=1, le=100)]


class UsersSearch(BaseModel):
    """Which accounts to list: a whole mobile, or how a nick name begins."""

    model_config = ConfigDict(extra="forbid")
    mobile: MobileText | None = None
    nick_name: NickNameText | None = None
    cursor: UserId | None = None
    limit: Limit = 20


class AuditQuery(BaseModel):
    """Which lines of the audit log to list, newest first."""

    model_config = ConfigDict(extra="forbid")
    user_id: UserId | None = None
    event: Annotated[str, Field(pattern="^[a-z_]{1,64}$")] | None = None
    cursor: Annotated[int, Field(ge=1, le=_LARGEST_EVENT_ID)] | None = None
    limit: Limit = 20


class BanRequest(Request):
    """Why an account is banned, and until when; without an end for ever."""

    reason: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(storable)]
    until: Annotated[AwareDatetime | None, Field(strict=False)] = None


class BanAnswer(BaseModel):
    """A ban in force; ``until`` is null for one without an end."""

    until: datetime | None
    reason: str


class AdministeredUser(BaseModel):
    """An account as administrators see it; the mobile masked."""

    id: int
    nick_name: str
    mobile: str
    roles: list[str]
    created_at: datetime | None
    last_login: datetime | None
    ban: BanAnswer | None
    must_reset_password: bool
    deleted_at: datetime | None


class AdministeredUsers(BaseModel):
    """A page of accounts by id."""

    items: list[AdministeredUser]
    next_cursor: int | None


class MobileAnswer(BaseModel):
    """A whole mobile."""

    mobile: str


class AuditLine(BaseModel):
    """One line of the audit log."""

    id: int
    at: datetime
    event: str
    outcome: str
    user_id: int | None
    actor_id: int | None
    mobile: str
    ip_prefix: str
    request_id: str
    detail: str


class AuditLines(BaseModel):
    """A page of the audit log, newest first."""

    items: list[AuditLine]
    next_cursor: int | None
