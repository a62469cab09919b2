"""The JSON of accounts and audit lines as administrators see them."""

from datetime import datetime
from typing import Any  # JSON objects hold anything.

from chassis.mobiles import Mobile, mask_mobile
from user_service.answers import rfc3339
from user_service.models import FOR_EVER, AuditEvent, User


def administered_user(user: User, *, now: datetime) -> dict[str, Any]:
    """Show an account to an administrator."""
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
    """Show one line of the audit log."""
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
