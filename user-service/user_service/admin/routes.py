"""The HTTP edge of administrators: accounts, bans, sessions, the audit log.

Every change, and the view of a whole mobile, requires a recent authentication.
"""

from typing import Any  # Answers are JSON objects.

import svcs
from flask_openapi3 import APIBlueprint

from chassis import errors
from chassis.identity import current_user_id
from chassis.mobiles import parse_mobile
from chassis.web import Access, endpoint
from user_service.accounts.contract import UserPath
from user_service.admin.accounts import Administration, Search
from user_service.admin.contract import (
    AdministeredUser,
    AdministeredUsers,
    AuditLines,
    AuditQuery,
    BanRequest,
    MobileAnswer,
    UsersSearch,
    administered_user,
    audit_line,
)
from user_service.audit.queries import AuditTrail, TrailQuery

api = APIBlueprint("administration", __name__)
_ADMIN = "/api/v1/admin"
_USER = f"{_ADMIN}/users/<int:user_id>"
_CHANGES = [errors.StepUpRequired, errors.Forbidden, errors.NotFound, errors.DependencyUnavailable]


@endpoint(
    api,
    "GET",
    f"{_ADMIN}/users",
    access=Access.ADMIN,
    answers={200: AdministeredUsers},
    failures=[errors.Forbidden, errors.MobileInvalid],
)
def find_users(query: UsersSearch) -> dict[str, Any]:
    """Find accounts by their mobile, or by how their nick name begins."""
    mobile = parse_mobile(query.mobile) if query.mobile is not None else None
    administration = svcs.flask.get(Administration)
    users, cursor = administration.find_accounts(Search(mobile, query.nick_name, query.cursor or 0, query.limit))
    now = administration.clock()
    return {"items": [administered_user(user, now=now) for user in users], "next_cursor": cursor}


@endpoint(
    api,
    "GET",
    _USER,
    access=Access.ADMIN,
    answers={200: AdministeredUser},
    failures=[errors.Forbidden, errors.NotFound],
)
def read_user(path: UserPath) -> dict[str, Any]:
    """Show one account."""
    administration = svcs.flask.get(Administration)
    return administered_user(administration.account_by_id(path.user_id), now=administration.clock())


@endpoint(api, "GET", f"{_USER}/mobile", access=Access.ADMIN, answers={200: MobileAnswer}, failures=_CHANGES)
def read_user_mobile(path: UserPath) -> dict[str, str]:
    """Show the whole mobile of one account; the look is audited."""
    actor_id = _recently_authenticated_id()
    return {"mobile": svcs.flask.get(Administration).read_mobile(path.user_id, actor_id=actor_id)}


@endpoint(api, "PUT", f"{_USER}/ban", access=Access.ADMIN, answers={200: AdministeredUser}, failures=_CHANGES)
def ban_user(path: UserPath, body: BanRequest) -> dict[str, Any]:
    """Keep an account out until a moment, or for ever, and end its sessions."""
    actor_id, administration = _recently_authenticated_id(), svcs.flask.get(Administration)
    user = administration.ban(path.user_id, until=body.until, reason=body.reason, actor_id=actor_id)
    return administered_user(user, now=administration.clock())


@endpoint(api, "DELETE", f"{_USER}/ban", access=Access.ADMIN, answers={204: None}, failures=_CHANGES)
def lift_ban(path: UserPath) -> tuple[str, int]:
    """Let an account in again."""
    svcs.flask.get(Administration).lift_ban(path.user_id, actor_id=_recently_authenticated_id())
    return "", 204


@endpoint(api, "DELETE", f"{_USER}/sessions", access=Access.ADMIN, answers={204: None}, failures=_CHANGES)
def end_user_sessions(path: UserPath) -> tuple[str, int]:
    """Sign an account out everywhere."""
    svcs.flask.get(Administration).end_sessions(path.user_id, actor_id=_recently_authenticated_id())
    return "", 204


@endpoint(api, "POST", f"{_USER}/password-reset-required", access=Access.ADMIN, answers={204: None}, failures=_CHANGES)
def require_password_reset(path: UserPath) -> tuple[str, int]:
    """Let an account's password open nothing until it is reset."""
    svcs.flask.get(Administration).require_password_reset(path.user_id, actor_id=_recently_authenticated_id())
    return "", 204


@endpoint(
    api, "GET", f"{_ADMIN}/audit-events", access=Access.ADMIN, answers={200: AuditLines}, failures=[errors.Forbidden]
)
def list_audit_events(query: AuditQuery) -> dict[str, Any]:
    """Read the audit log, newest first."""
    trail_query = TrailQuery(query.user_id, query.event, query.cursor, query.limit)
    lines, cursor = svcs.flask.get(AuditTrail).read_page(trail_query)
    return {"items": [audit_line(line) for line in lines], "next_cursor": cursor}


@endpoint(
    api,
    "POST",
    f"{_ADMIN}/revoke-all",
    access=Access.ADMIN,
    answers={204: None},
    failures=[errors.StepUpRequired, errors.Forbidden, errors.DependencyUnavailable],
)
def sign_everybody_out() -> tuple[str, int]:
    """End every session of everybody, the administrator's own too."""
    svcs.flask.get(Administration).end_all_sessions(actor_id=_recently_authenticated_id())
    return "", 204


def _recently_authenticated_id() -> int:
    """Return the id of the administrator, who must have authenticated recently."""
    svcs.flask.get(Administration).require_recent_authentication()
    return current_user_id()
