"""Registering: policy, hash, SMS code, then the account is opened."""

from dataclasses import dataclass, field

from chassis.database import Database
from chassis.errors import NickNameTaken, SmsCodeWrong
from chassis.mobiles import Mobile
from user_service.accounts import is_nick_name_free
from user_service.attempt_limits import AttemptLimits
from user_service.failure_log import FailureLog
from user_service.grants import Device, SignedIn
from user_service.new_accounts import NewAccounts
from user_service.nick_names import checked_nick_name
from user_service.password_policy import PasswordPolicy
from user_service.passwords import Passwords
from user_service.sms_codes import SmsCodes


@dataclass(frozen=True)
class Application:
    """What somebody who registers sends."""

    mobile: Mobile
    sms_code: str = field(repr=False)
    password: str = field(repr=False)
    nick_name: str | None = None


class Registration:
    """Makes accounts."""

    def __init__(
        self,
        database: Database,
        new_accounts: NewAccounts,
        sms_codes: SmsCodes,
        *,
        passwords: Passwords,
        policy: PasswordPolicy,
        limits: AttemptLimits,
        failures: FailureLog,
    ) -> None:
        self._database = database
        self._new_accounts = new_accounts
        self._sms_codes = sms_codes
        self._passwords = passwords
        self._policy = policy
        self._limits = limits
        self._failures = failures

    def register(self, application: Application, device: Device, ip: str) -> SignedIn:
        """Make an account and sign its owner in.

        Everything that can be refused is refused before the code is used up, but for the mobile: that an account
        exists is told only to who holds a code for it.

        Raises:
            PasswordRejected, RequestInvalid, NickNameTaken: the password or the nick name will not do.
            SmsCodeWrong, SmsCodeExpired: the code.
            MobileTaken: the mobile has an account.
            TooManyRequests, DependencyUnavailable: not now.
        """
        nick_name = self._wanted_nick_name(application)
        self._policy.check(application.password, mobile=application.mobile, nick_name=nick_name)
        with self._failures.watch("registration", application.mobile, ip):
            buckets = self._limits.for_code(ip)
            self._limits.charge(buckets)
            hashed = self._passwords.hash(application.password)
            code = application.sms_code
            if not self._sms_codes.consume(mobile=application.mobile, purpose="register", code=code):
                raise SmsCodeWrong
            self._limits.refund(buckets)
            return self._new_accounts.open(application.mobile, hashed, device, nick_name=nick_name)

    def _wanted_nick_name(self, application: Application) -> str | None:
        if application.nick_name is None:
            return None
        nick_name = checked_nick_name(application.nick_name)
        with self._database.read() as db:
            if not is_nick_name_free(db, nick_name):
                raise NickNameTaken
        return nick_name
