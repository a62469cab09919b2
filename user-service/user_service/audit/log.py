"""Writes the audit log: who did what to which account, when, from where, and with what outcome.

It holds no secrets and no whole mobiles. Failures are bounded, so that an attack cannot fill the disk: a reached limit
is written once a minute for each client network; of the other failures the first ``per_hour`` of an hour are written,
then those whose number is a power of two, and each of these states its number.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from flask import has_request_context
from redis import Redis
from sqlalchemy import Table, bindparam, insert, select
from sqlalchemy.orm import Session
from structlog import get_logger

from chassis.addresses import client_network, stored_prefix
from chassis.database import Database
from chassis.errors import (
    CredentialsWrong,
    MobileTaken,
    PasswordResetRequired,
    SmsCodeExpired,
    SmsCodeWrong,
    TooManyRequests,
)
from chassis.identity import client_ip
from chassis.mobiles import Mobile, mask_mobile
from chassis.redis_client import redis_errors
from chassis.tracing import current_request_id
from user_service.models import AuditEvent, User

log = get_logger(__name__)
DONE = "done"
_REFUSALS = (CredentialsWrong, MobileTaken, PasswordResetRequired, SmsCodeExpired, SmsCodeWrong)
_HOUR_SECONDS = 3600
_LIMIT_SECONDS = 60
_users: Table = User.__table__  # type: ignore[assignment]
# On the bare table and built once, because most logins add an entry. Nobody needs the new ids (`inline`).
_INSERT = insert(AuditEvent.__table__).inline()  # type: ignore[arg-type]
# The account is looked up within the insert: an extra query for known mobiles alone would tell, by the time of a
# failed login, whether the mobile has an account.
_INSERT_BY_MOBILE = _INSERT.values(
    user_id=select(_users.c.id).where(_users.c.mobile == bindparam("whole_mobile")).scalar_subquery()
)


@dataclass(frozen=True)
class AuditEntry:
    """One entry. ``outcome`` is `DONE` or the code of the error; ``detail`` is for people, in English.

    Without ``user_id`` the entry is about the account of the mobile, if there is one.
    """

    event: str
    outcome: str = DONE
    user_id: int | None = None
    actor_id: int | None = None
    mobile: Mobile | None = None
    detail: str = ""


def write_audit_entry(db: Session, entry: AuditEntry, *, now: datetime) -> None:
    """Add an entry with the caller's transaction, so that the change and its entry are committed together or not."""
    masked = mask_mobile(entry.mobile) if entry.mobile else ""
    row = {
        "at": now,
        "event": entry.event,
        "outcome": entry.outcome,
        "actor_id": entry.actor_id,
        "mobile_masked": masked,
        "ip_prefix": stored_prefix(client_ip()) if has_request_context() else "",
        "request_id": current_request_id(),
        "detail": entry.detail[:256],
    }
    if entry.user_id is None and entry.mobile is not None:
        db.connection().execute(_INSERT_BY_MOBILE, row | {"whole_mobile": entry.mobile})
    else:
        db.connection().execute(_INSERT, row | {"user_id": entry.user_id})
    log.info("audit", action=entry.event, outcome=entry.outcome, user_id=entry.user_id,
             actor_id=entry.actor_id, mobile=masked)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class FailureLog:
    """Writes failures in transactions of their own, because the failed one was rolled back. It fails closed."""

    database: Database
    redis: Redis
    per_hour: int
    clock: Callable[[], datetime]

    @contextmanager
    def watch(self, event: str, mobile: Mobile, ip: str, *, user_id: int | None = None) -> Iterator[None]:
        """Write an entry if the block refuses the user; the error is raised again.

        ``user_id`` is the signed-in user. Without one the entry is about the account of the mobile, if there is one.
        """
        try:
            yield
        except TooManyRequests as error:
            if self._is_first_of_minute(f"user:audit:limit:{event}:{client_network(ip)}"):
                self._write(AuditEntry(event, error.code, user_id, user_id, mobile))
            raise
        except _REFUSALS as error:
            self._write(AuditEntry(event, error.code, user_id, user_id, mobile))
            raise

    def _is_first_of_minute(self, key: str) -> bool:
        with redis_errors():
            return bool(self.redis.set(key, 1, nx=True, ex=_LIMIT_SECONDS))

    def _write(self, entry: AuditEntry) -> None:
        now = self.clock()
        number = self._number_in_hour(now)
        is_within = number <= self.per_hour
        if not is_within and number & (number - 1):
            return
        detail = "" if is_within else f"Failure {number} of this hour; most are left out."
        with self.database.write() as db:
            write_audit_entry(db, replace(entry, detail=detail), now=now)

    def _number_in_hour(self, now: datetime) -> int:
        key = f"user:audit:failures:{int(now.timestamp()) // _HOUR_SECONDS}"
        with redis_errors(), self.redis.pipeline(transaction=True) as pipeline:
            pipeline.incr(key)
            pipeline.expire(key, 2 * _HOUR_SECONDS)
            return int(pipeline.execute()[0])
