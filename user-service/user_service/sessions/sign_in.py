"""Signing in, by password or by SMS code. Every cause of failure looks the same from outside."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Table, bindparam, or_, update
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.errors import CredentialsWrong, MobileTaken, PasswordResetRequired, SmsCodeExpired, SmsCodeWrong
from chassis.mobiles import Mobile
from user_service.accounts.registration import NewAccounts
from user_service.audit.log import AuditEntry, FailureLog, write_audit_entry
from user_service.clients.captcha_service import CaptchaAnswer
from user_service.limits.code_proofs import CodeProof, CodeProofs
from user_service.limits.login_guard import LoginGuard
from user_service.models import NO_PASSWORD, Device, HashedPassword, User, find_by_mobile
from user_service.passwords.hashing import Passwords
from user_service.passwords.policy import PasswordPolicy
from user_service.sessions.sessions import Sessions
from user_service.tokens.access_tokens import SignedIn

_BY_PASSWORD, _BY_CODE = "login_by_password", "login_by_code"
_users: Table = User.__table__  # type: ignore[assignment]
# On the bare table and built once: the mapper needs three times the processor time, and a login shall cost little
# beside its hash. The update is the check and takes the row's lock, so no read goes before it.
_NOTE_LOGIN = (
    update(_users)
    .where(
        _users.c.id == bindparam("user_id"),
        _users.c.password_hash == bindparam("checked_hash"),
        _users.c.mobile == bindparam("checked_mobile"),
        _users.c.is_admin.is_not_distinct_from(bindparam("checked_is_admin")),
        _users.c.is_editor == bindparam("checked_is_editor"),
        _users.c.must_reset_password == bindparam("checked_must_reset"),
        _users.c.deleted_at.is_(None),
        or_(_users.c.banned_until.is_(None), _users.c.banned_until <= bindparam("now")),
    )
    .values(last_login=bindparam("now"), password_hash=bindparam("new_hash"))
)


def note_login(db: Session, user: User, now: datetime, *, rehashed: HashedPassword | None = None) -> bool:
    """Set the time of the last login, and perhaps a new hash of the same password, with the caller's transaction.

    ``user`` was read and checked before this transaction. The answer is False if the account was banned or deleted
    since, or got another password, mobile or role, or must reset its password now. If it is True, the transaction
    holds the row's lock.
    """
    result = db.connection().execute(
        _NOTE_LOGIN,
        {
            "user_id": user.id,
            "checked_hash": user.password_hash,
            "checked_mobile": user.mobile,
            "checked_is_admin": user.is_admin,
            "checked_is_editor": user.is_editor,
            "checked_must_reset": user.must_reset_password,
            "now": now,
            "new_hash": user.password_hash if rehashed is None else rehashed.phc,
        },
    )
    user.last_login = now
    return result.rowcount == 1


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """Checks who signs in, and begins their session."""

    database: Database
    sessions: Sessions
    new_accounts: NewAccounts
    passwords: Passwords
    policy: PasswordPolicy
    code_proofs: CodeProofs
    guard: LoginGuard
    failures: FailureLog
    clock: Callable[[], datetime]

    def by_password(
        self, mobile: Mobile, password: str, device: Device, ip: str, *, captcha: CaptchaAnswer | None = None
    ) -> SignedIn:
        """Sign in by the password of the account.

        Raises:
            CredentialsWrong: there is no such account, the password is wrong, the account is banned, or there were
                too many failures in a row. All four cases cost the same work.
            PasswordResetRequired: the password is right, but must be reset first, as `PasswordPolicy.must_be_reset`.
            CaptchaRequired, CaptchaWrong, CaptchaExpired, TooManyRequests: as `LoginGuard.attempt`.
            DependencyUnavailable: a part is away, or too many passwords are being checked.
        """
        with self.failures.watch(_BY_PASSWORD, mobile, ip):
            with self.guard.attempt(mobile, ip, captcha) as attempt:
                user = self._find_user(mobile)
                matches = self.passwords.matches(user.password_hash if user else None, password)
                may_sign_in = user is not None and not attempt.is_locked_out and user.may_sign_in(self.clock())
                attempt.is_right = matches and may_sign_in
            if user is None or not attempt.is_right:
                raise CredentialsWrong
            if self.policy.must_be_reset(user, password):
                raise PasswordResetRequired
            is_outdated = self.passwords.is_outdated(user.password_hash)
            rehashed = self.passwords.hash(password) if is_outdated else None
            return self._begin_session(user, device, event=_BY_PASSWORD, rehashed=rehashed)

    def by_code(self, mobile: Mobile, code: str, device: Device, ip: str, *, create_user: bool = False) -> SignedIn:
        """Sign in by a code for the purpose ``login``, which also ends a lockout of the password.

        With ``create_user`` a mobile without an account gets one.

        Raises:
            CredentialsWrong: the code is wrong or expired, or there is no such account, or it is banned.
            TooManyRequests: too many wrong codes from this network, or for this mobile as sms-service counts.
            XinjingError: sms-service, Redis or the database is away.
        """
        with self.failures.watch(_BY_CODE, mobile, ip):
            try:
                self.code_proofs.present(CodeProof(mobile=mobile, purpose="login", code=code, ip=ip))
            except (SmsCodeWrong, SmsCodeExpired) as error:
                raise CredentialsWrong from error
            user = self._find_user(mobile)
            is_admissible = create_user if user is None else user.may_sign_in(self.clock())
            if not is_admissible:
                raise CredentialsWrong
            self.guard.forget_failures(mobile)
            if user is None:
                return self._open_account(mobile, device)
            return self._begin_session(user, device, event=_BY_CODE)

    def _open_account(self, mobile: Mobile, device: Device) -> SignedIn:
        try:
            return self.new_accounts.open(mobile, NO_PASSWORD, device)
        except MobileTaken:  # A registration took it a moment ago. The person with the code is its owner.
            user = self._find_user(mobile)
            if user is None:
                raise
            return self._begin_session(user, device, event=_BY_CODE)

    def _find_user(self, mobile: Mobile) -> User | None:
        with self.database.read() as db:
            return find_by_mobile(db, mobile)

    def _begin_session(
        self, user: User, device: Device, *, event: str, rehashed: HashedPassword | None = None
    ) -> SignedIn:
        now = self.clock()
        with self.database.write() as db:
            # The account was checked before this transaction and may have changed since.
            if not note_login(db, user, now, rehashed=rehashed):
                raise CredentialsWrong
            entry = AuditEntry(event, user_id=user.id, actor_id=user.id, mobile=Mobile(user.mobile))
            write_audit_entry(db, entry, now=now)
            return SignedIn(user, self.sessions.begin(db, user, device))
