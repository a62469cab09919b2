"""The audit log: who did what to which account, when, from where, and how it ended. No secrets, no whole mobiles."""

from dataclasses import dataclass
from datetime import datetime

from flask import has_request_context
from sqlalchemy import Table, bindparam, insert, select
from sqlalchemy.orm import Session
from structlog import get_logger

from chassis.addresses import stored_prefix
from chassis.identity import client_ip
from chassis.mobiles import Mobile, mask_mobile
from chassis.tracing import current_request_id
from user_service.models import AuditEvent, User

log = get_logger(__name__)
DONE = "done"
_users: Table = User.__table__  # type: ignore[assignment]
# On the bare table, and built once, as most logins add a line. Nobody asks for the ids (`inline`).
_ADD = insert(AuditEvent.__table__).inline()  # type: ignore[arg-type]
# Within the insert: who failed to sign in must not learn from the time whether there was an account to load.
_ADD_BY_MOBILE = _ADD.values(
    user_id=select(_users.c.id).where(_users.c.mobile == bindparam("whole_mobile")).scalar_subquery()
)


@dataclass(frozen=True)
class Happening:
    """What is written down. ``outcome`` is `DONE` or the code of the error; ``detail`` is for people, in English.

    Without ``user_id`` the line is about the account of the mobile, if there is one.
    """

    event: str
    outcome: str = DONE
    user_id: int | None = None
    actor_id: int | None = None
    mobile: Mobile | None = None
    detail: str = ""


def record(db: Session, happening: Happening, *, now: datetime) -> None:
    """Add a line to the caller's transaction, so that what was done and its line stand or fall together."""
    masked = mask_mobile(happening.mobile) if happening.mobile else ""
    row = {
        "at": now,
        "event": happening.event,
        "outcome": happening.outcome,
        "actor_id": happening.actor_id,
        "mobile_masked": masked,
        "ip_prefix": stored_prefix(client_ip()) if has_request_context() else "",
        "request_id": current_request_id(),
        "detail": happening.detail[:256],
    }
    if happening.user_id is None and happening.mobile is not None:
        db.connection().execute(_ADD_BY_MOBILE, row | {"whole_mobile": happening.mobile})
    else:
        db.connection().execute(_ADD, row | {"user_id": happening.user_id})
    log.info("audit", action=happening.event, outcome=happening.outcome, user_id=happening.user_id,
             actor_id=happening.actor_id, mobile=masked)  # fmt: skip
