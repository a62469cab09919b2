"""A new password for who forgot the old one: limits, policy, hash, SMS code, one update, every session over."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from chassis.database import Database
from chassis.errors import SmsCodeWrong
from chassis.mobiles import Mobile
from user_service.accounts import find_by_mobile
from user_service.attempt_limits import AttemptLimits
from user_service.audit import Happening, record
from user_service.audited import failures_recorded
from user_service.models import User
from user_service.notices import Notices
from user_service.password_policy import PasswordPolicy
from user_service.passwords import Passwords
from user_service.sessions import Sessions
from user_service.sms_codes import SmsCodes


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
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._sms_codes = sms_codes
        self._notices = notices
        self._passwords = passwords
        self._policy = policy
        self._limits = limits
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
        buckets = self._limits.for_code(ip)
        self._limits.charge(buckets)
        self._policy.check(reset.password, mobile=reset.mobile)
        with self._database.read() as db:
            user = find_by_mobile(db, reset.mobile)
        happening = Happening("password_reset", user_id=user.id if user else None, mobile=reset.mobile)
        with failures_recorded(self._database, happening, clock=self._clock):
            ended = self._reset(reset, user, happening)
        self._sessions.announce(ended)
        self._notices.password_changed(reset.mobile)
        self._limits.refund(buckets)

    def _reset(self, reset: PasswordReset, found: User | None, happening: Happening) -> Sequence[str]:
        hashed = self._passwords.hash(reset.password)
        code = reset.sms_code
        if not self._sms_codes.consume(mobile=reset.mobile, purpose="reset_password", code=code) or found is None:
            raise SmsCodeWrong
        with self._database.write() as db:
            user = db.get_one(User, found.id, with_for_update=True)
            if user.mobile != reset.mobile:  # Changed, or the account deleted, while we hashed.
                raise SmsCodeWrong
            user.password, user.must_reset_password = hashed, False
            record(db, happening, now=self._clock())
            return self._sessions.revoke_all(db, user.id)
