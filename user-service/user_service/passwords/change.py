"""Changes the password of a signed-in user, who sends the current one or authenticated recently."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.errors import CredentialsWrong, PasswordRejected
from chassis.mobiles import Mobile
from user_service.audit.log import AuditEntry, FailureLog, write_audit_entry
from user_service.clients.sms_service import Notices
from user_service.limits.login_guard import Bucket, RateLimits
from user_service.models import User, locked_account, signed_in_account
from user_service.passwords.hashing import Passwords
from user_service.passwords.policy import PasswordPolicy
from user_service.tokens.access_tokens import require_recent_authentication

_TRIES, _TRIES_SECONDS = 5, 300


@dataclass(frozen=True)
class PasswordChange:
    """The new password. ``current`` is None if a recent authentication replaces it; ``session_id`` does not end."""

    user_id: int
    current: str | None = field(repr=False)
    new: str = field(repr=False)
    session_id: str | None
    ip: str


@dataclass(frozen=True, kw_only=True)
class PasswordChanges:
    """Changes passwords. ``revoke_other_sessions`` ends all sessions of a user but one, within a transaction."""

    database: Database
    revoke_other_sessions: Callable[[Session, int, str], None]
    notices: Notices
    passwords: Passwords
    policy: PasswordPolicy
    limits: RateLimits
    failures: FailureLog
    clock: Callable[[], datetime]

    def change_password(self, change: PasswordChange) -> None:
        """Change a password, end the user's other sessions and text them a notice.

        Raises:
            CredentialsWrong: the current password is wrong.
            StepUpRequired: the current password was not sent, or must be reset, and the last authentication is too old.
            PasswordRejected: the new password; the field is ``new_password``.
            TooManyRequests, DependencyUnavailable: not now.
        """
        with self.database.read() as db:
            user = signed_in_account(db, change.user_id)
        mobile = Mobile(user.mobile)
        self._check_new_password(change.new, user)
        with self.failures.watch("password_changed", mobile, change.ip, user_id=user.id):
            self._check_proof(user, change.current)
            self._store_password(user, change)
        self.notices.send_password_changed(mobile)

    def _check_new_password(self, password: str, user: User) -> None:
        try:
            self.policy.check(password, mobile=Mobile(user.mobile), nick_name=user.nick_name)
        except PasswordRejected as error:
            raise PasswordRejected(errors=[replace(wrong, field="new_password") for wrong in error.errors]) from error

    def _check_proof(self, user: User, current: str | None) -> None:
        if current is None or self.policy.must_be_reset(user, current):
            require_recent_authentication(self.clock())
            return
        # Its own bucket, because strangers can use up the bucket of the login.
        bucket = Bucket(f"user:password:{user.id}", _TRIES, _TRIES_SECONDS)
        with self.limits.attempt(bucket) as attempt:
            attempt.is_right = self.passwords.matches(user.password_hash, current)
        if not attempt.is_right:
            raise CredentialsWrong

    def _store_password(self, checked: User, change: PasswordChange) -> None:
        hashed = self.passwords.hash(change.new)
        with self.database.write() as db:
            user = locked_account(db, checked.id)
            # The current password was checked before this transaction. If it changed since, the check is void.
            if user.password_hash != checked.password_hash:
                raise CredentialsWrong
            user.password, user.must_reset_password = hashed, False
            entry = AuditEntry("password_changed", user_id=user.id, actor_id=user.id, mobile=Mobile(user.mobile))
            write_audit_entry(db, entry, now=self.clock())
            self.revoke_other_sessions(db, user.id, change.session_id or "")
