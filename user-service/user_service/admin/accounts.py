"""What administrators do with accounts: find them, ban them, end sessions, require a new password.

Every change is audited.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.errors import FieldError, Forbidden, NotFound, RequestInvalid
from chassis.mobiles import Mobile
from user_service.accounts.nick_names import spelled_nick_name
from user_service.audit.log import AuditEntry, write_audit_entry
from user_service.models import FOR_EVER, User
from user_service.sessions.bulk import revoke_all_sessions
from user_service.sessions.sessions import Sessions
from user_service.tokens.access_tokens import require_recent_authentication


@dataclass(frozen=True)
class Search:
    """Which accounts to list; ``nick_name`` is the beginning of a name, ``after_id`` the last id of the page before."""

    mobile: Mobile | None = None
    nick_name: str | None = None
    after_id: int = 0
    limit: int = 20


@dataclass(frozen=True, kw_only=True)
class Administration:
    """What administrators may do; ``actor_id`` is the administrator."""

    database: Database
    sessions: Sessions
    clock: Callable[[], datetime]

    def require_recent_authentication(self) -> None:
        """Allow the request in hand only if the administrator authenticated recently; raises StepUpRequired."""
        require_recent_authentication(self.clock())

    def find_accounts(self, search: Search) -> tuple[Sequence[User], int | None]:
        """List accounts in the order of their ids, and return the cursor of the next page."""
        query = select(User).where(User.id > search.after_id)
        if search.mobile is not None:
            query = query.where(User.mobile == search.mobile)
        if search.nick_name is not None:
            # The placeholder of a deleted account is the one name in another spelling.
            spellings = {search.nick_name, spelled_nick_name(search.nick_name)}
            query = query.where(or_(*(User.nick_name.startswith(each, autoescape=True) for each in spellings)))
        with self.database.read() as db:
            users = db.scalars(query.order_by(User.id).limit(search.limit + 1)).all()
        return users[: search.limit], users[search.limit - 1].id if len(users) > search.limit else None

    def account_by_id(self, user_id: int) -> User:
        """Return one account; raises NotFound, as all methods here with a ``user_id`` do."""
        with self.database.read() as db:
            return _existing(db.get(User, user_id))

    def read_mobile(self, user_id: int, *, actor_id: int) -> str:
        """Return the whole mobile of an account, which leaves a line in the audit log."""
        with self.database.write() as db:
            user = _existing(db.get(User, user_id))
            self._write_entry(db, "mobile_read", user, actor_id=actor_id)
            return user.mobile

    def ban(self, user_id: int, *, until: datetime | None, reason: str, actor_id: int) -> User:
        """Ban an account until a moment, or for ever, and end its sessions. It replaces an earlier ban.

        Raises:
            RequestInvalid: the moment is past.
            Forbidden: it is the administrator's own account.
        """
        now = self.clock()
        if until is not None and until <= now:
            raise RequestInvalid(errors=[FieldError("until", "past", "Choose a moment in the future.")])
        if user_id == actor_id:
            raise Forbidden("You cannot ban yourself.")
        with self.database.write() as db:
            user = self._locked(db, user_id)
            user.banned_until, user.ban_reason = until or FOR_EVER, reason
            end = until.isoformat(timespec="seconds") if until else "for ever"
            self._write_entry(db, "user_banned", user, actor_id=actor_id, detail=f"until {end}: {reason}")
            self.sessions.revoke_all(db, user_id, actor_id=actor_id)
        return user

    def lift_ban(self, user_id: int, *, actor_id: int) -> None:
        """Lift the ban of an account; without a ban nothing happens."""
        with self.database.write() as db:
            user = self._locked(db, user_id)
            if user.banned_until is not None:
                user.banned_until = user.ban_reason = None
                self._write_entry(db, "user_unbanned", user, actor_id=actor_id)

    def end_sessions(self, user_id: int, *, actor_id: int) -> None:
        """End all sessions of an account."""
        with self.database.write() as db:
            self._locked(db, user_id)
            self.sessions.revoke_all(db, user_id, actor_id=actor_id)

    def require_password_reset(self, user_id: int, *, actor_id: int) -> None:
        """Refuse an account's password until it is reset; its sessions and the login by code go on."""
        with self.database.write() as db:
            user = self._locked(db, user_id)
            if not user.must_reset_password:
                user.must_reset_password = True
                self._write_entry(db, "password_reset_required", user, actor_id=actor_id)

    def end_all_sessions(self, *, actor_id: int) -> None:
        """End the sessions of all users, the administrator's own too; raises as `revoke_all_sessions`."""
        revoke_all_sessions(self.database, self.sessions.revocations, clock=self.clock, actor_id=actor_id)

    def _locked(self, db: Session, user_id: int) -> User:
        user = _existing(db.get(User, user_id, with_for_update=True))
        if user.deleted_at is not None:
            raise NotFound
        return user

    def _write_entry(self, db: Session, event: str, user: User, *, actor_id: int, detail: str = "") -> None:
        mobile = Mobile(user.mobile)
        entry = AuditEntry(event, user_id=user.id, actor_id=actor_id, mobile=mobile, detail=detail)
        write_audit_entry(db, entry, now=self.clock())


def _existing(user: User | None) -> User:
    if user is None:
        raise NotFound
    return user
