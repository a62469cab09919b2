"""Logging in, by password or by SMS code. Every cause of failure looks the same from outside."""

from collections.abc import Callable
from datetime import datetime

from chassis.database import Database
from chassis.errors import CredentialsWrong, MobileTaken, PasswordResetRequired, SmsCodeExpired
from chassis.mobiles import Mobile
from user_service.accounts import find_by_mobile
from user_service.attempt_limits import AttemptLimits
from user_service.audit import Happening, record
from user_service.captchas import CaptchaAnswer
from user_service.failure_log import FailureLog
from user_service.grants import Device, SignedIn
from user_service.logins import note_login
from user_service.models import NO_PASSWORD, HashedPassword, User
from user_service.new_accounts import NewAccounts
from user_service.password_attempts import PasswordAttempts
from user_service.passwords import Passwords
from user_service.sessions import Sessions
from user_service.sms_codes import SmsCodes

BY_PASSWORD, BY_CODE = "login_by_password", "login_by_code"


class SignIn:
    """Lets people in."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        sms_codes: SmsCodes,
        *,
        new_accounts: NewAccounts,
        passwords: Passwords,
        limits: AttemptLimits,
        attempts: PasswordAttempts,
        failures: FailureLog,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._sms_codes = sms_codes
        self._new_accounts = new_accounts
        self._passwords = passwords
        self._limits = limits
        self._attempts = attempts
        self._failures = failures
        self._clock = clock

    def by_password(
        self, mobile: Mobile, password: str, device: Device, ip: str, *, captcha: CaptchaAnswer | None = None
    ) -> SignedIn:
        """Sign in who knows the password.

        Raises:
            CredentialsWrong: no such account, another password, banned, or too many failures in a row; after the
                same work.
            PasswordResetRequired: the password is right, and must be replaced first.
            CaptchaRequired, CaptchaWrong, CaptchaExpired, TooManyRequests: as `PasswordAttempts.admit`.
            DependencyUnavailable: a part is away, or too many passwords are being checked.
        """
        with self._failures.watch(BY_PASSWORD, mobile, ip):
            attempt = self._attempts.admit(mobile, ip, captcha)
            user = self._find(mobile)
            is_right = self._passwords.matches(user.password_hash if user else None, password)
            if user is None or not is_right or attempt.is_hopeless or not user.may_enter(self._clock()):
                raise CredentialsWrong
            self._attempts.succeeded(attempt)
            if user.must_reset_password:
                raise PasswordResetRequired
            outdated = self._passwords.is_outdated(user.password_hash)
            rehashed = self._passwords.hash(password) if outdated else None
            return self._enter(user, device, event=BY_PASSWORD, rehashed=rehashed)

    def by_code(self, mobile: Mobile, code: str, device: Device, ip: str, *, create_user: bool = False) -> SignedIn:
        """Sign in who got a code for the purpose ``login``; this also ends a row of wrong passwords.

        With ``create_user`` also who has no account yet.

        Raises:
            CredentialsWrong: a wrong or expired code, or no such account, or a banned one.
            TooManyRequests: too many wrong codes from this address, or for this mobile as sms-service counts.
            XinjingError: sms-service, Redis or the database is away.
        """
        with self._failures.watch(BY_CODE, mobile, ip):
            buckets = self._limits.for_code(ip)
            self._limits.charge(buckets)
            is_right = self._is_code(mobile, code)
            user = self._find(mobile) if is_right else None
            is_new = is_right and create_user and user is None
            if not is_new and (user is None or not user.may_enter(self._clock())):
                raise CredentialsWrong
            self._limits.refund(buckets)
            self._attempts.end_streak(mobile)
            return self._open(mobile, device) if user is None else self._enter(user, device, event=BY_CODE)

    def _is_code(self, mobile: Mobile, code: str) -> bool:
        try:
            return self._sms_codes.consume(mobile=mobile, purpose="login", code=code)
        except SmsCodeExpired:
            return False

    def _open(self, mobile: Mobile, device: Device) -> SignedIn:
        try:
            return self._new_accounts.open(mobile, NO_PASSWORD, device)
        except MobileTaken:  # By a registration a moment ago; its owner is the one who holds the code.
            user = self._find(mobile)
            if user is None:
                raise
            return self._enter(user, device, event=BY_CODE)

    def _find(self, mobile: Mobile) -> User | None:
        with self._database.read() as db:
            return find_by_mobile(db, mobile)

    def _enter(self, user: User, device: Device, *, event: str, rehashed: HashedPassword | None = None) -> SignedIn:
        now = self._clock()
        with self._database.write() as db:
            # The account was judged outside of this transaction; what changed meanwhile must not let in.
            if not note_login(db, user, now, rehashed=rehashed):
                raise CredentialsWrong
            record(db, Happening(event, user_id=user.id, actor_id=user.id, mobile=Mobile(user.mobile)), now=now)
            return SignedIn(user, self._sessions.begin(db, user, device))
