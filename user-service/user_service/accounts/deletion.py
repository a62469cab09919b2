"""Deleting an account: the person goes, a tombstone stays for what they wrote."""

from collections.abc import Callable
from datetime import datetime

from chassis.database import Database
from chassis.mobiles import Mobile
from user_service.accounts.accounts import locked_account
from user_service.accounts.avatars import Avatars
from user_service.audit.log import Happening, record
from user_service.models import NO_PASSWORD, User
from user_service.sessions.sessions import Sessions
from user_service.sessions.step_up import require_fresh_proof


class Deletion:
    """Deletes accounts for good."""

    def __init__(
        self, database: Database, sessions: Sessions, avatars: Avatars, *, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._avatars = avatars
        self._clock = clock

    def delete(self, user_id: int) -> None:
        """Delete an account; its mobile and its nick name are free again, its id is not.

        Raises:
            StepUpRequired: the last proof of who they are is too old.
            Unauthenticated: it is gone already.
            DependencyUnavailable: the database is away.
        """
        now = self._clock()
        require_fresh_proof(now)
        with self._database.write() as db:
            user = locked_account(db, user_id)
            avatar_url = user.avatar_url
            happening = Happening("account_deleted", user_id=user_id, actor_id=user_id, mobile=Mobile(user.mobile))
            record(db, happening, now=now)
            self._sessions.forget_all(db, user_id)
            _empty(user, now)
        self._avatars.remove_file(user_id, avatar_url)


def _empty(user: User, now: datetime) -> None:
    # Nobody else can have these two: a mobile begins with +, and a nick name is stored in NFKC, which knows no
    # full-width brackets.
    user.mobile, user.nick_name = f"gone:{user.id}", f"已注销用户（{user.id}）"
    user.password, user.must_reset_password = NO_PASSWORD, False
    user.avatar_url = user.signature = user.gender = user.last_login = None
    user.banned_until = user.ban_reason = None
    user.is_admin = False
    user.deleted_at = now
