"""The requests and answers of administrators. The OpenAPI document is generated from the models."""

from datetime import datetime
from typing import Annotated, Any  # Any: JSON objects hold anything.

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field

from chassis.mobiles import Mobile, mask_mobile
from user_service.accounts.contract import MobileText, Request, UserId, rfc3339, visible
from user_service.models import FOR_EVER, AuditEvent, User

_LARGEST_EVENT_ID = 2**63 - 1
Limit = Annotated[int, Field(ge=1, le=100)]


class UsersSearch(BaseModel):
    """Which accounts to list: a whole mobile, or how a nick name begins."""

    mobile: MobileText | None = None
    nick_name: Annotated[str, Field(min_length=1, max_length=64), AfterValidator(visible)] | None = None
    cursor: UserId | None = None
    limit: Limit = 20


class AuditQuery(BaseModel):
    """Which lines of the audit log to list, newest first."""

    user_id: UserId | None = None
    event: Annotated[str, Field(pattern="^[a-z_]{1,64}$")] | None = None
    cursor: Annotated[int, Field(ge=1, le=_LARGEST_EVENT_ID)] | None = None
    limit: Limit = 20


class BanRequest(Request):
    """Why an account is banned, and until when; without an end for ever."""

    reason: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(visible)]
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


def administered_user(user: User, *, now: datetime) -> dict[str, Any]:
    """Return what administrators see of an account."""
    return {
        "id": user.id,
        "nick_name": user.nick_name,
        "mobile": mask_mobile(Mobile(user.mobile)),
        "roles": user.roles,
        "created_at": rfc3339(user.create_time),
        "last_login": rfc3339(user.last_login),
        "ban": _ban(user) if user.is_banned(now) else None,
        "must_reset_password": user.must_reset_password,
        "deleted_at": rfc3339(user.deleted_at),
    }


def _ban(user: User) -> dict[str, Any]:
    return {
        "until": None if user.banned_until == FOR_EVER else rfc3339(user.banned_until),
        "reason": user.ban_reason or "",
    }


def audit_line(line: AuditEvent) -> dict[str, Any]:
    """Return one line of the audit log."""
    return {
        "id": line.id,
        "at": rfc3339(line.at),
        "event": line.event,
        "outcome": line.outcome,
        "user_id": line.user_id,
        "actor_id": line.actor_id,
        "mobile": line.mobile_masked,
        "ip_prefix": line.ip_prefix,
        "request_id": line.request_id,
        "detail": line.detail,
    }
