"""The role ``admin``. Only the command line grants and revokes it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from chassis.database import Database
from chassis.errors import NotFound
from chassis.mobiles import Mobile
from user_service.audit.log import AuditEntry, write_audit_entry
from user_service.models import User, find_by_mobile
from user_service.sessions.sessions import Sessions


@dataclass(frozen=True, kw_only=True)
class Roles:
    """Grants and revokes the role, and lists its holders."""

    database: Database
    sessions: Sessions
    clock: Callable[[], datetime]

    def grant(self, mobile: Mobile) -> User:
        """Make the owner of a mobile an administrator, from their next refresh or login on.

        Raises:
            NotFound: the mobile has no account.
        """
        return self._set_admin(mobile, is_admin=True)

    def revoke(self, mobile: Mobile) -> User:
        """Take the role away, and end every session, because tokens hold roles; raises NotFound as `grant`."""
        user = self._set_admin(mobile, is_admin=False)
        self.sessions.end_all(user.id)
        return user

    def holders(self) -> Sequence[User]:
        """List the administrators."""
        with self.database.read() as db:
            return db.scalars(select(User).where(User.is_admin.is_(True)).order_by(User.id)).all()

    def _set_admin(self, mobile: Mobile, *, is_admin: bool) -> User:
        with self.database.write() as db:
            user = find_by_mobile(db, mobile)
            if user is None:
                raise NotFound
            user.is_admin = is_admin
            event = "admin_granted" if is_admin else "admin_revoked"
            entry = AuditEntry(event, user_id=user.id, mobile=mobile, detail="command line")
            write_audit_entry(db, entry, now=self.clock())
            return user
