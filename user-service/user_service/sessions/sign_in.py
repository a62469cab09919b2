"""Logging in, by password or by SMS code. Every cause of failure looks the same from outside."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Table, bindparam, or_, update
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.errors import CredentialsWrong, MobileTaken, PasswordResetRequired, SmsCodeExpired
from chassis.mobiles import Mobile
from user_service.accounts.accounts import find_by_mobile
from user_service.accounts.registration import NewAccounts
from user_service.audit.failures import FailureLog
from user_service.audit.log import Happening, record
from user_service.clients.captcha_service import CaptchaAnswer
from user_service.clients.sms_service import SmsCodes
from user_service.limits.login_guard import PasswordAttempts
from user_service.limits.rate_limits import AttemptLimits
from user_service.models import NO_PASSWORD, HashedPassword, User
from user_service.passwords.hashing import Passwords
from user_service.sessions.grants import Device, SignedIn
from user_service.sessions.sessions import Sessions

_users: Table = User.__table__  # type: ignore[assignment]
# On the bare table, and built once: through the mapper the same costs three times the processor time, and a login is
# to cost little beside its hash. The update is the check and takes the row's lock, so no read goes before it.
_NOTE = (
    update(_users)
    .where(
        _users.c.id == bindparam("user_id"),
        _users.c.password_hash == bindparam("judged_hash"),
        _users.c.mobile == bindparam("judged_mobile"),
        _users.c.is_admin.is_not_distinct_from(bindparam("judged_is_admin")),
        _users.c.must_reset_password == bindparam("judged_must_reset"),
        _users.c.deleted_at.is_(None),
        or_(_users.c.banned_until.is_(None), _users.c.banned_until <= bindparam("now")),
    )
    .values(last_login=bindparam("now"), password_hash=bindparam("new_hash"))
)


def note_login(db: Session, user: User, now: datetime, *, rehashed: HashedPassword | None = None) -> bool:
    """Set the time of the last login, and perhaps a new hash of the same password, in the caller's transaction.

    ``user`` was read before, outside of it. Says whether that may go on: no if the account was meanwhile banned or
    deleted, or got another password, mobile or role, or must reset its password now. If yes, the transaction holds the
    row's lock.
    """
    new_hash = user.password_hash if rehashed is None else rehashed.phc
    found = db.connection().execute(
        _NOTE,
        {
            "user_id": user.id,
            "judged_hash": user.password_hash,
            "judged_mobile": user.mobile,
            "judged_is_admin": user.is_admin,
            "judged_must_reset": user.must_reset_password,
            "now": now,
            "new_hash": new_hash,
        },
    )
    user.last_login = now
    return found.rowcount == 1


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
