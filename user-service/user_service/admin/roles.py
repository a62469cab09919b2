"""The roles ``admin`` and ``editor``. Only the command line grants and revokes them."""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select

from chassis.database import Database
from chassis.errors import NotFound
from chassis.mobiles import Mobile
from user_service.audit.log import AuditEntry, write_audit_entry
from user_service.models import User, find_by_mobile
from user_service.sessions.sessions import Sessions


class Role(enum.StrEnum):
    """What an account may be, beside a user."""

    ADMIN = "admin"  # Finds and bans people, and may do what an editor may.
    EDITOR = "editor"  # Reviews what people write for the news.


_COLUMNS = {Role.ADMIN: "is_admin", Role.EDITOR: "is_editor"}


@dataclass(frozen=True, kw_only=True)
class Roles:
    """Grants and revokes the roles, and lists their holders."""

    database: Database
    sessions: Sessions
    clock: Callable[[], datetime]

    def grant(self, mobile: Mobile, role: Role) -> User:
        """Give a role to the owner of a mobile, from their next refresh or login on.

        Raises:
            NotFound: the mobile has no account.
        """
        return self._set_role(mobile, role, is_granted=True)

    def revoke(self, mobile: Mobile, role: Role) -> User:
        """Take a role away, and end every session, because tokens hold roles; raises NotFound as `grant`."""
        user = self._set_role(mobile, role, is_granted=False)
        self.sessions.end_all(user.id)
        return user

    def holders(self) -> Sequence[User]:
        """List the accounts with a role."""
        with self.database.read() as db:
            has_role = or_(User.is_admin.is_(True), User.is_editor.is_(True))
            return db.scalars(select(User).where(has_role).order_by(User.id)).all()

    def _set_role(self, mobile: Mobile, role: Role, *, is_granted: bool) -> User:
        with self.database.write() as db:
            user = find_by_mobile(db, mobile)
            if user is None:
                raise NotFound
            setattr(user, _COLUMNS[role], is_granted)
            event = f"{role}_{'granted' if is_granted else 'revoked'}"
            entry = AuditEntry(event, user_id=user.id, mobile=mobile, detail="command line")
            write_audit_entry(db, entry, now=self.clock())
            return user
