"""The role ``admin``: given and taken on the command line alone."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import select

from chassis.database import Database
from chassis.errors import NotFound
from chassis.mobiles import Mobile
from user_service.accounts.accounts import find_by_mobile
from user_service.audit.log import Happening, record
from user_service.models import User
from user_service.sessions.sessions import Sessions


class Roles:
    """Who is an administrator."""

    def __init__(self, database: Database, sessions: Sessions, *, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._sessions = sessions
        self._clock = clock

    def grant(self, mobile: Mobile) -> User:
        """Make the owner of a mobile an administrator, from their next refresh or login on.

        Raises:
            NotFound: the mobile has no account.
        """
        return self._set(mobile, is_admin=True)

    def revoke(self, mobile: Mobile) -> User:
        """Take the role, and end every session, because tokens hold roles; raises NotFound as `grant`."""
        user = self._set(mobile, is_admin=False)
        self._sessions.end_all(user.id)
        return user

    def holders(self) -> Sequence[User]:
        """List the administrators."""
        with self._database.read() as db:
            return db.scalars(select(User).where(User.is_admin.is_(True)).order_by(User.id)).all()

    def _set(self, mobile: Mobile, *, is_admin: bool) -> User:
        with self._database.write() as db:
            user = find_by_mobile(db, mobile)
            if user is None or user.deleted_at is not None:
                raise NotFound
            user.is_admin = is_admin
            event = "admin_granted" if is_admin else "admin_revoked"
            record(db, Happening(event, user_id=user.id, mobile=mobile, detail="command line"), now=self._clock())
            return user
