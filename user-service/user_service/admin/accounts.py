"""What administrators do to accounts: find, ban, end sessions, ask for a new password. Every change is audited."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.errors import FieldError, Forbidden, NotFound, RequestInvalid
from chassis.mobiles import Mobile
from user_service.audit.log import Happening, record
from user_service.models import FOR_EVER, User
from user_service.sessions.sessions import Sessions


@dataclass(frozen=True)
class Search:
    """Which accounts to list; ``nick_name`` is how the name begins, ``after_id`` where the page before ended."""

    mobile: Mobile | None = None
    nick_name: str | None = None
    after_id: int = 0
    limit: int = 20


class Administration:
    """All accounts, as administrators handle them; ``actor_id`` is the one who acts."""

    def __init__(self, database: Database, sessions: Sessions, *, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._sessions = sessions
        self._clock = clock

    def now(self) -> datetime:
        """Return the moment by which bans and fresh proofs are judged."""
        return self._clock()

    def find(self, search: Search) -> tuple[Sequence[User], int | None]:
        """List accounts in the order of their ids, and return the cursor of the next page."""
        query = select(User).where(User.id > search.after_id)
        if search.mobile is not None:
            query = query.where(User.mobile == search.mobile)
        if search.nick_name is not None:
            query = query.where(User.nick_name.startswith(search.nick_name, autoescape=True))
        with self._database.read() as db:
            found = db.scalars(query.order_by(User.id).limit(search.limit + 1)).all()
        return found[: search.limit], found[search.limit - 1].id if len(found) > search.limit else None

    def read(self, user_id: int) -> User:
        """Return one account; raises NotFound as all methods here."""
        with self._database.read() as db:
            return _existing(db.get(User, user_id))

    def read_mobile(self, user_id: int, *, actor_id: int) -> str:
        """Return the whole mobile of an account, which leaves a line in the audit log."""
        with self._database.write() as db:
            user = _existing(db.get(User, user_id))
            self._record(db, "mobile_read", user, actor_id=actor_id)
            return user.mobile

    def ban(self, user_id: int, *, until: datetime | None, reason: str, actor_id: int) -> User:
        """Keep an account out until a moment, or for ever, and end its sessions; a ban before is replaced.

        Raises:
            RequestInvalid: the moment is past.
            Forbidden: one's own account.
        """
        now = self._clock()
        if until is not None and until <= now:
            raise RequestInvalid(errors=[FieldError("until", "past", "Choose a moment in the future.")])
        if user_id == actor_id:
            raise Forbidden("You cannot ban yourself.")
        with self._database.write() as db:
            user = self._locked(db, user_id)
            user.banned_until, user.ban_reason = until or FOR_EVER, reason
            end = until.isoformat(timespec="seconds") if until else "for ever"
            self._record(db, "user_banned", user, actor_id=actor_id, detail=f"until {end}: {reason}")
            self._sessions.revoke_all(db, user_id, actor_id=actor_id)
        return user

    def lift_ban(self, user_id: int, *, actor_id: int) -> None:
        """Let an account in again; without a ban nothing happens."""
        with self._database.write() as db:
            user = self._locked(db, user_id)
            if user.banned_until is not None:
                user.banned_until = user.ban_reason = None
                self._record(db, "user_unbanned", user, actor_id=actor_id)

    def end_sessions(self, user_id: int, *, actor_id: int) -> None:
        """Sign an account out everywhere."""
        with self._database.write() as db:
            self._locked(db, user_id)
            self._sessions.revoke_all(db, user_id, actor_id=actor_id)

    def require_password_reset(self, user_id: int, *, actor_id: int) -> None:
        """Let an account's password open nothing until it is reset; logging in by code and sessions go on."""
        with self._database.write() as db:
            user = self._locked(db, user_id)
            if not user.must_reset_password:
                user.must_reset_password = True
                self._record(db, "password_reset_required", user, actor_id=actor_id)

    def _locked(self, db: Session, user_id: int) -> User:
        user = _existing(db.get(User, user_id, with_for_update=True))
        if user.deleted_at is not None:
            raise NotFound
        return user

    def _record(self, db: Session, event: str, user: User, *, actor_id: int, detail: str = "") -> None:
        mobile = Mobile(user.mobile)
        record(
            db, Happening(event, user_id=user.id, actor_id=actor_id, mobile=mobile, detail=detail), now=self._clock()
        )


def _existing(user: User | None) -> User:
    if user is None:
        raise NotFound
    return user
