"""A new password for who forgot the old one: limits, policy, hash, SMS code, one update, every session over."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from chassis.database import Database
from chassis.errors import SmsCodeWrong
from chassis.mobiles import Mobile
from user_service.accounts.accounts import find_by_mobile
from user_service.accounts.notices import Notices
from user_service.audit.failures import FailureLog
from user_service.audit.log import Happening, record
from user_service.clients.sms_service import SmsCodes
from user_service.limits.login_guard import PasswordAttempts
from user_service.limits.rate_limits import AttemptLimits
from user_service.models import HashedPassword, User
from user_service.passwords.hashing import Passwords
from user_service.passwords.policy import PasswordPolicy
from user_service.sessions.sessions import Sessions


@dataclass(frozen=True)
class PasswordReset:
    """What somebody sends who forgot the password."""

    mobile: Mobile
    sms_code: str = field(repr=False)
    password: str = field(repr=False)


class PasswordResets:
    """Resets passwords by SMS code."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        sms_codes: SmsCodes,
        notices: Notices,
        *,
        passwords: Passwords,
        policy: PasswordPolicy,
        limits: AttemptLimits,
        attempts: PasswordAttempts,
        failures: FailureLog,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._sms_codes = sms_codes
        self._notices = notices
        self._passwords = passwords
        self._policy = policy
        self._limits = limits
        self._attempts = attempts
        self._failures = failures
        self._clock = clock

    def reset(self, reset: PasswordReset, ip: str) -> None:
        """Set a password by a code for ``reset_password``; nobody is signed in afterwards.

        The code is used up last: a password that will not do never costs it. The right code of a mobile without an
        account is answered like a wrong one, after the same work.

        Raises:
            PasswordRejected: the password.
            SmsCodeWrong, SmsCodeExpired: the code.
            TooManyRequests, DependencyUnavailable: not now.
        """
        with self._failures.watch("password_reset", reset.mobile, ip):
            buckets = self._limits.for_code(ip)
            self._limits.charge(buckets)
            with self._database.read() as db:
                user = find_by_mobile(db, reset.mobile)
            self._policy.check(reset.password, mobile=reset.mobile)
            self._store(reset, user, self._passwords.hash(reset.password))
        self._notices.password_changed(reset.mobile)
        self._limits.refund(buckets)
        self._attempts.end_streak(reset.mobile)

    def _store(self, reset: PasswordReset, found: User | None, hashed: HashedPassword) -> None:
        code = reset.sms_code
        if not self._sms_codes.consume(mobile=reset.mobile, purpose="reset_password", code=code) or found is None:
            raise SmsCodeWrong
        with self._database.write() as db:
            user = db.get_one(User, found.id, with_for_update=True)
            if user.mobile != reset.mobile:  # Changed, or the account deleted, while we hashed.
                raise SmsCodeWrong
            user.password, user.must_reset_password = hashed, False
            record(db, Happening("password_reset", user_id=user.id, mobile=reset.mobile), now=self._clock())
            self._sessions.revoke_all(db, user.id, actor_id=user.id)
