"""Writes down that somebody logged in, on the one condition that the account is still what was judged."""

from datetime import datetime

from sqlalchemy import Table, bindparam, or_, update
from sqlalchemy.orm import Session

from user_service.models import HashedPassword, User

_users: Table = User.__table__  # type: ignore[assignment]
# On the bare table, and built once: through the mapper the same costs three times the processor time, and a login is
# to cost little beside its hash. The update is the check and takes the row's lock, so no read goes before it.
_NOTE = (
    update(_users)
    .where(
        _users.c.id == bindparam("user_id"),
        _users.c.password_hash == bindparam("judged_hash"),
        _users.c.mobile == bindparam("judged_mobile"),
        _users.c.is_admin.is_not_distinct_from(bindparam("judged_is_admin")),
        _users.c.must_reset_password == bindparam("judged_must_reset"),
        _users.c.deleted_at.is_(None),
        or_(_users.c.banned_until.is_(None), _users.c.banned_until <= bindparam("now")),
    )
    .values(last_login=bindparam("now"), password_hash=bindparam("new_hash"))
)


def note_login(db: Session, user: User, now: datetime, *, rehashed: HashedPassword | None = None) -> bool:
    """Set the time of the last login, and perhaps a new hash of the same password, in the caller's transaction.

    ``user`` was read before, outside of it. Says whether that may go on: no if the account was meanwhile banned or
    deleted, or got another password, mobile or role, or must reset its password now. If yes, the transaction holds the
    row's lock.
    """
    new_hash = user.password_hash if rehashed is None else rehashed.phc
    found = db.connection().execute(
        _NOTE,
        {
            "user_id": user.id,
            "judged_hash": user.password_hash,
            "judged_mobile": user.mobile,
            "judged_is_admin": user.is_admin,
            "judged_must_reset": user.must_reset_password,
            "now": now,
            "new_hash": new_hash,
        },
    )
    user.last_login = now
    return found.rowcount == 1
