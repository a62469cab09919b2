"""A new password for a signed-in user, who knows the current one or has just proved who they are."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from chassis.database import Database
from chassis.errors import CredentialsWrong, PasswordRejected
from chassis.mobiles import Mobile
from user_service.accounts.accounts import Accounts, locked_account
from user_service.accounts.notices import Notices
from user_service.audit.failures import FailureLog
from user_service.audit.log import Happening, record
from user_service.limits.rate_limits import AttemptLimits, Bucket
from user_service.models import User
from user_service.passwords.hashing import Passwords
from user_service.passwords.policy import PasswordPolicy
from user_service.sessions.sessions import Sessions
from user_service.sessions.step_up import require_fresh_proof

_TRIES, _TRIES_SECONDS = 5, 300


@dataclass(frozen=True)
class PasswordChange:
    """The new password; ``current`` is None where a fresh proof stands for it, ``session_id`` is the one that stays."""

    user_id: int
    current: str | None = field(repr=False)
    new: str = field(repr=False)
    session_id: str | None
    ip: str


class PasswordChanges:
    """Changes passwords of signed-in users."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        notices: Notices,
        *,
        passwords: Passwords,
        policy: PasswordPolicy,
        limits: AttemptLimits,
        failures: FailureLog,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._accounts = Accounts(database)
        self._sessions = sessions
        self._notices = notices
        self._passwords = passwords
        self._policy = policy
        self._limits = limits
        self._failures = failures
        self._clock = clock

    def change(self, change: PasswordChange) -> None:
        """Change a password, end the user's other sessions and tell them by SMS.

        Raises:
            CredentialsWrong: the current password is another one.
            StepUpRequired: it was not sent, or must be reset, and the last proof is too old.
            PasswordRejected: the new password; the field is ``new_password``.
            TooManyRequests, DependencyUnavailable: not now.
        """
        user = self._accounts.own(change.user_id)
        mobile = Mobile(user.mobile)
        self._check_new(change.new, user)
        with self._failures.watch("password_changed", mobile, change.ip, user_id=user.id):
            self._check_proof(user, change.current)
            self._store(user, change)
        self._notices.password_changed(mobile)

    def _check_new(self, password: str, user: User) -> None:
        try:
            self._policy.check(password, mobile=Mobile(user.mobile), nick_name=user.nick_name)
        except PasswordRejected as error:
            raise PasswordRejected(errors=[replace(wrong, field="new_password") for wrong in error.errors]) from error

    def _check_proof(self, user: User, current: str | None) -> None:
        if current is None or user.must_reset_password:  # A password that must be reset proves nothing.
            require_fresh_proof(self._clock())
            return
        # Apart from the tries of logging in, which strangers can use up.
        buckets = [Bucket(f"user:password:{user.id}", _TRIES, _TRIES_SECONDS)]
        self._limits.charge(buckets)
        if not self._passwords.matches(user.password_hash, current):
            raise CredentialsWrong
        self._limits.refund(buckets)

    def _store(self, checked: User, change: PasswordChange) -> None:
        hashed = self._passwords.hash(change.new)
        with self._database.write() as db:
            user = locked_account(db, checked.id)
            # The password was checked outside of this transaction; one that changed meanwhile proves nothing.
            if user.password_hash != checked.password_hash:
                raise CredentialsWrong
            user.password, user.must_reset_password = hashed, False
            happening = Happening("password_changed", user_id=user.id, actor_id=user.id, mobile=Mobile(user.mobile))
            record(db, happening, now=self._clock())
            self._sessions.revoke_others(db, user.id, but=change.session_id or "")
