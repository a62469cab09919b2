"""Registration: policy, hash, SMS code; then the account is opened and its owner is signed in."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.errors import InternalError, MobileTaken, NickNameTaken
from chassis.mobiles import Mobile
from user_service.accounts.accounts import is_nick_name_free
from user_service.accounts.nick_names import checked_nick_name, draw_nick_name
from user_service.audit.log import AuditEntry, FailureLog, write_audit_entry
from user_service.limits.code_proofs import CodeProof, CodeProofs
from user_service.models import Device, HashedPassword, User, find_by_mobile
from user_service.passwords.hashing import Passwords
from user_service.passwords.policy import PasswordPolicy
from user_service.tokens.access_tokens import SignedIn, TokenPair

_MOST_DRAWS = 6
BeginSession = Callable[[Session, User, Device], TokenPair]


@dataclass(frozen=True, kw_only=True)
class NewAccounts:
    """Opens accounts, for registering and for signing in by code. The caller has checked a code of the mobile."""

    database: Database
    begin_session: BeginSession
    clock: Callable[[], datetime]

    def open(self, mobile: Mobile, hashed: HashedPassword, device: Device, *, nick_name: str | None = None) -> SignedIn:
        """Make the account of a mobile and begin its first session.

        Raises:
            MobileTaken: the mobile has an account.
        """
        # The unique constraints decide, because a query before the insert could be outrun. If the nick name was taken
        # in this moment, the account gets a drawn one: the code is used up by now, and a name can be changed later.
        for attempt in range(_MOST_DRAWS):
            name = nick_name if nick_name and attempt == 0 else draw_nick_name(attempt)
            try:
                return self._insert(mobile, hashed, name, device)
            except IntegrityError as error:
                with self.database.read() as db:
                    if find_by_mobile(db, mobile) is not None:
                        raise MobileTaken from error
        raise InternalError("No free nick name was drawn.")

    def _insert(self, mobile: Mobile, hashed: HashedPassword, nick_name: str, device: Device) -> SignedIn:
        now = self.clock()
        user = User(mobile=mobile, password=hashed, nick_name=nick_name)
        user.create_time = user.update_time = user.last_login = now
        with self.database.write() as db:
            db.add(user)
            db.flush()
            entry = AuditEntry("registration", user_id=user.id, actor_id=user.id, mobile=mobile)
            write_audit_entry(db, entry, now=now)
            return SignedIn(user, self.begin_session(db, user, device))


@dataclass(frozen=True)
class Application:
    """What a person sends to register."""

    mobile: Mobile
    sms_code: str = field(repr=False)
    password: str = field(repr=False)
    nick_name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Registration:
    """Registers people."""

    database: Database
    new_accounts: NewAccounts
    code_proofs: CodeProofs
    passwords: Passwords
    policy: PasswordPolicy
    failures: FailureLog

    def register(self, application: Application, device: Device, ip: str) -> SignedIn:
        """Make an account and sign its owner in.

        Everything that can be refused is refused before the code is used up, except a taken mobile: only a person who
        holds a code for the mobile may learn that it has an account.

        Raises:
            PasswordRejected, RequestInvalid, NickNameTaken: the password or the nick name is not acceptable.
            SmsCodeWrong, SmsCodeExpired: the code.
            MobileTaken: the mobile has an account.
            TooManyRequests, DependencyUnavailable: not now.
        """
        mobile, password = application.mobile, application.password
        nick_name = self._checked_nick_name(application)
        self.policy.check(password, mobile=mobile, nick_name=nick_name)
        with self.failures.watch("registration", mobile, ip):
            proof = CodeProof(mobile=mobile, purpose="register", code=application.sms_code, ip=ip)
            hashed = self.code_proofs.present_after(lambda: self.passwords.hash(password), proof)
            return self.new_accounts.open(mobile, hashed, device, nick_name=nick_name)

    def _checked_nick_name(self, application: Application) -> str | None:
        if application.nick_name is None:
            return None
        nick_name = checked_nick_name(application.nick_name)
        with self.database.read() as db:
            if not is_nick_name_free(db, nick_name):
                raise NickNameTaken
        return nick_name
