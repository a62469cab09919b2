"""The JSON of each resource, built in one place."""

from datetime import UTC, datetime
from typing import Any  # JSON objects hold anything.

from user_service.models import Gender, User, UserSession
from user_service.sessions.grants import Grant, Page, SignedIn


def rfc3339(moment: datetime | None) -> str | None:
    """Write a moment as RFC 3339 in UTC, to the second: ``2026-01-31T08:00:00Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def user_card(user: User) -> dict[str, Any]:
    """Show a user to another service."""
    return {"id": user.id, "nick_name": user.nick_name, "avatar_url": user.avatar_url or None}


def public_user(user: User) -> dict[str, Any]:
    """Show a user to everybody: no mobile."""
    return {**user_card(user), "signature": user.signature, "gender": user.gender or Gender.MAN}


def own_user(user: User) -> dict[str, Any]:
    """Show a user to themselves."""
    return {
        **public_user(user),
        "mobile": user.mobile,
        "roles": user.roles,
        "created_at": rfc3339(user.create_time),
        "last_login": rfc3339(user.last_login),
    }


def tokens(grant: Grant) -> dict[str, Any]:
    """Hand over a pair of tokens."""
    return {
        "access_token": grant.access.text,
        "token_type": "Bearer",
        "expires_in": grant.access.expires_in,
        "refresh_token": str(grant.refresh),
    }


def signed_in(result: SignedIn) -> dict[str, Any]:
    """Answer a registration or a login."""
    return {"user": own_user(result.user), **tokens(result.grant)}


def sessions_page(page: Page, *, current_id: str | None) -> dict[str, Any]:
    """List sessions and mark the one that asks."""
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
