"""Deletes an account: its data is erased, and a placeholder stays for what its owner wrote."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.mobiles import Mobile
from user_service.accounts.avatars import Avatars
from user_service.audit.log import AuditEntry, write_audit_entry
from user_service.models import NO_PASSWORD, User, locked_account
from user_service.tokens.access_tokens import require_recent_authentication


@dataclass(frozen=True, kw_only=True)
class Deletion:
    """Deletes accounts for good. ``forget_sessions`` ends and erases the sessions of a user within a transaction."""

    database: Database
    forget_sessions: Callable[[Session, int], None]
    avatars: Avatars
    clock: Callable[[], datetime]

    def delete_account(self, user_id: int) -> None:
        """Delete an account. Its mobile and its nick name are free again, its id is not.

        Raises:
            StepUpRequired: the last authentication is too old.
            Unauthenticated: the account was deleted already.
            DependencyUnavailable: the database is away.
        """
        now = self.clock()
        require_recent_authentication(now)
        with self.database.write() as db:
            user = locked_account(db, user_id)
            avatar_url = user.avatar_url
            entry = AuditEntry("account_deleted", user_id=user_id, actor_id=user_id, mobile=Mobile(user.mobile))
            write_audit_entry(db, entry, now=now)
            self.forget_sessions(db, user_id)
            _erase(user, now)
        self.avatars.remove_file(user_id, avatar_url)


def _erase(user: User, now: datetime) -> None:
    # No other account can have these two: a mobile begins with +, and a nick name is stored in NFKC, which has no
    # full-width brackets.
    user.mobile, user.nick_name = f"gone:{user.id}", f"已注销用户（{user.id}）"
    user.password, user.must_reset_password = NO_PASSWORD, False
    user.avatar_url = user.signature = user.gender = user.last_login = None
    user.banned_until = user.ban_reason = None
    user.is_admin = user.is_editor = False
    user.deleted_at = now
