"""Registering: policy, hash, SMS code, then the account is opened."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from chassis.database import Database
from chassis.errors import InternalError, MobileTaken, NickNameTaken, SmsCodeWrong
from chassis.mobiles import Mobile
from user_service.accounts.accounts import find_by_mobile, is_nick_name_free
from user_service.accounts.nick_names import checked_nick_name, draw_nick_name
from user_service.audit.failures import FailureLog
from user_service.audit.log import Happening, record
from user_service.clients.sms_service import SmsCodes
from user_service.limits.rate_limits import AttemptLimits
from user_service.models import HashedPassword, User
from user_service.passwords.hashing import Passwords
from user_service.passwords.policy import PasswordPolicy
from user_service.sessions.grants import Device, SignedIn
from user_service.sessions.sessions import Sessions

_MOST_DRAWS = 6


class NewAccounts:
    """Opens accounts, for registering and for logging in by code."""

    def __init__(self, database: Database, sessions: Sessions, *, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._sessions = sessions
        self._clock = clock

    def open(self, mobile: Mobile, hashed: HashedPassword, device: Device, *, nick_name: str | None = None) -> SignedIn:
        """Make the account of a mobile and begin its first session.

        Raises:
            MobileTaken: the mobile has an account.
        """
        # The unique constraints decide, never a look before. Who loses the race for a nick name gets a drawn one:
        # the code is used up by now, and a name can be changed later.
        for attempt in range(_MOST_DRAWS):
            name = nick_name if nick_name and attempt == 0 else draw_nick_name(attempt)
            try:
                return self._insert(mobile, hashed, name, device)
            except IntegrityError as error:
                with self._database.read() as db:
                    if find_by_mobile(db, mobile) is not None:
                        raise MobileTaken from error
        raise InternalError("No free nick name was drawn.")

    def _insert(self, mobile: Mobile, hashed: HashedPassword, nick_name: str, device: Device) -> SignedIn:
        now = self._clock()
        user = User(mobile=mobile, password=hashed, nick_name=nick_name)
        user.create_time = user.update_time = user.last_login = now
        with self._database.write() as db:
            db.add(user)
            db.flush()
            record(db, Happening("registration", user_id=user.id, actor_id=user.id, mobile=mobile), now=now)
            return SignedIn(user, self._sessions.begin(db, user, device))


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
