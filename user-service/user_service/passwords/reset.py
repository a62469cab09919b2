"""Resets a forgotten password: policy, limit, hash, SMS code, one update; then every session of the user is over."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.errors import SmsCodeWrong
from chassis.mobiles import Mobile
from user_service.audit.log import AuditEntry, FailureLog, write_audit_entry
from user_service.clients.sms_service import Notices
from user_service.limits.code_proofs import CodeProof, CodeProofs
from user_service.limits.login_guard import LoginGuard
from user_service.models import HashedPassword, User, find_by_mobile
from user_service.passwords.hashing import Passwords
from user_service.passwords.policy import PasswordPolicy


@dataclass(frozen=True)
class PasswordReset:
    """What a person sends who forgot the password."""

    mobile: Mobile
    sms_code: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class PasswordResets:
    """Resets passwords by SMS code. ``revoke_sessions`` ends all sessions of a user within a transaction."""

    database: Database
    revoke_sessions: Callable[[Session, int], None]
    code_proofs: CodeProofs
    guard: LoginGuard
    notices: Notices
    passwords: Passwords
    policy: PasswordPolicy
    failures: FailureLog
    clock: Callable[[], datetime]

    def reset_password(self, reset: PasswordReset, ip: str) -> None:
        """Set a password by a code for ``reset_password``; nobody is signed in afterwards.

        The code is used up last, so a password that is not acceptable never costs it. The right code of a mobile
        without an account is answered like a wrong one, after the same work.

        Raises:
            PasswordRejected: the password.
            SmsCodeWrong, SmsCodeExpired: the code.
            TooManyRequests, DependencyUnavailable: not now.
        """
        mobile = reset.mobile
        self.policy.check(reset.password, mobile=mobile)
        with self.failures.watch("password_reset", mobile, ip):
            proof = CodeProof(mobile=mobile, purpose="reset_password", code=reset.sms_code, ip=ip)
            user, hashed = self.code_proofs.present_after(lambda: self._prepare(reset), proof)
            if user is None:
                raise SmsCodeWrong
            self._store_password(mobile, user, hashed)
        self.notices.send_password_changed(mobile)
        self.guard.forget_failures(mobile)

    def _prepare(self, reset: PasswordReset) -> tuple[User | None, HashedPassword]:
        with self.database.read() as db:
            user = find_by_mobile(db, reset.mobile)
        return user, self.passwords.hash(reset.password)

    def _store_password(self, mobile: Mobile, checked: User, hashed: HashedPassword) -> None:
        with self.database.write() as db:
            user = db.get_one(User, checked.id, with_for_update=True)
            if user.mobile != mobile:  # The mobile was changed, or the account deleted, since it was read.
                raise SmsCodeWrong
            user.password, user.must_reset_password = hashed, False
            entry = AuditEntry("password_reset", user_id=user.id, mobile=mobile)
            write_audit_entry(db, entry, now=self.clock())
            self.revoke_sessions(db, user.id)
