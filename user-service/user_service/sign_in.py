"""Logging in, by password or by SMS code. Every cause of failure looks the same from outside."""

from collections.abc import Callable
from datetime import datetime

from chassis.database import Database
from chassis.errors import CredentialsWrong, MobileTaken, SmsCodeExpired
from chassis.mobiles import Mobile
from user_service.accounts import find_by_mobile
from user_service.attempt_limits import AttemptLimits
from user_service.grants import Device, SignedIn
from user_service.models import NO_PASSWORD, HashedPassword, User
from user_service.new_accounts import NewAccounts
from user_service.passwords import Passwords
from user_service.sessions import Sessions
from user_service.sms_codes import SmsCodes


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
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._sms_codes = sms_codes
        self._new_accounts = new_accounts
        self._passwords = passwords
        self._limits = limits
        self._clock = clock

    def by_password(self, mobile: Mobile, password: str, device: Device, ip: str) -> SignedIn:
        """Sign in who knows the password.

        Raises:
            CredentialsWrong: no such account, or another password; after the same work.
            TooManyRequests: too many failures for this mobile (with an account or without) or from this address.
            DependencyUnavailable: a part is away, or too many passwords are being checked.
        """
        buckets = self._limits.for_password(mobile, ip)
        self._limits.charge(buckets)
        user = self._find(mobile)
        if not self._passwords.matches(user.password_hash if user else None, password) or user is None:
            raise CredentialsWrong
        self._limits.refund(buckets)
        outdated = self._passwords.is_outdated(user.password_hash)
        return self._enter(user, device, rehashed=self._passwords.hash(password) if outdated else None)

    def by_code(self, mobile: Mobile, code: str, device: Device, ip: str, *, create_user: bool = False) -> SignedIn:
        """Sign in who got a code for the purpose ``login``; with ``create_user`` also who has no account yet.

        Raises:
            CredentialsWrong: a wrong or expired code, or no such account.
            TooManyRequests: too many wrong codes from this address, or for this mobile as sms-service counts.
            XinjingError: sms-service, Redis or the database is away.
        """
        buckets = self._limits.for_code(ip)
        self._limits.charge(buckets)
        try:
            verified = self._sms_codes.consume(mobile=mobile, purpose="login", code=code)
        except SmsCodeExpired as error:
            raise CredentialsWrong from error
        user = self._find(mobile) if verified else None
        if user is None and not (verified and create_user):
            raise CredentialsWrong
        self._limits.refund(buckets)
        return self._open(mobile, device) if user is None else self._enter(user, device)

    def _open(self, mobile: Mobile, device: Device) -> SignedIn:
        try:
            return self._new_accounts.open(mobile, NO_PASSWORD, device)
        except MobileTaken:  # By a registration a moment ago; its owner is the one who holds the code.
            user = self._find(mobile)
            if user is None:
                raise
            return self._enter(user, device)

    def _find(self, mobile: Mobile) -> User | None:
        with self._database.read() as db:
            return find_by_mobile(db, mobile)

    def _enter(self, checked: User, device: Device, *, rehashed: HashedPassword | None = None) -> SignedIn:
        with self._database.write() as db:
            user = db.get(User, checked.id, with_for_update=True)
            # The password was checked outside of this transaction; one that changed meanwhile must not let in.
            if user is None or user.deleted_at is not None or user.password_hash != checked.password_hash:
                raise CredentialsWrong
            user.last_login = self._clock()
            if rehashed is not None:
                user.password = rehashed
            return SignedIn(user, self._sessions.begin(db, user, device))
