"""Recent authentication: a signed-in user proves their identity again.

The user gets a new session in place of the present one. `require_recent_authentication` in `tokens.access_tokens`
then allows what it does not allow a stolen token of an old session.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from chassis.database import Database
from chassis.errors import CredentialsWrong, PasswordResetRequired, SmsCodeExpired, SmsCodeWrong
from chassis.identity import Caller
from chassis.mobiles import Mobile
from user_service.audit.log import DONE, AuditEntry, write_audit_entry
from user_service.limits.code_proofs import CodeProof, CodeProofs
from user_service.limits.login_guard import LoginGuard, RateLimits
from user_service.models import Device, User, signed_in_account
from user_service.passwords.hashing import Passwords
from user_service.passwords.policy import PasswordPolicy
from user_service.sessions.sessions import Sessions
from user_service.tokens.access_tokens import TokenPair


@dataclass(frozen=True, kw_only=True)
class RecentAuthentication:
    """Authenticates within a session. Failures are limited and look alike, as those of signing in."""

    database: Database
    sessions: Sessions
    passwords: Passwords
    policy: PasswordPolicy
    code_proofs: CodeProofs
    limits: RateLimits
    guard: LoginGuard
    clock: Callable[[], datetime]

    def by_password(self, caller: Caller, password: str, device: Device, ip: str) -> TokenPair:
        """Replace the caller's session, for the account's password.

        Raises:
            CredentialsWrong: the password is wrong.
            PasswordResetRequired: it is right, but must be reset first.
            Unauthenticated: the session is over, or the account was deleted.
            TooManyRequests: too many failures; they count together with those of signing in.
            DependencyUnavailable: a part is away, or too many passwords are being checked.
        """
        user = self._caller_account(caller)
        buckets = self.guard.buckets(Mobile(user.mobile), ip)
        with self.limits.attempt(*buckets) as attempt:
            attempt.is_right = self.passwords.matches(user.password_hash, password)
        if not attempt.is_right:
            self._record(user, CredentialsWrong.code, "password")
            raise CredentialsWrong
        if self.policy.must_be_reset(user, password):
            self._record(user, PasswordResetRequired.code, "password")
            raise PasswordResetRequired
        return self._replace_session(user, caller, device, "password")

    def by_code(self, caller: Caller, code: str, device: Device, ip: str) -> TokenPair:
        """Replace the caller's session, for a code that was texted to the account's mobile for this user alone.

        Raises:
            CredentialsWrong: the code is wrong or expired.
            XinjingError: as in `by_password`, and when sms-service is away.
        """
        user = self._caller_account(caller)
        mobile = Mobile(user.mobile)
        proof = CodeProof(mobile=mobile, purpose="reauthenticate", code=code, ip=ip, subject=user.id)
        try:
            self.code_proofs.present(proof)
        except (SmsCodeWrong, SmsCodeExpired) as error:
            self._record(user, CredentialsWrong.code, "sms_code")
            raise CredentialsWrong from error
        return self._replace_session(user, caller, device, "sms_code")

    def _caller_account(self, caller: Caller) -> User:
        with self.database.read() as db:
            return signed_in_account(db, caller.user_id or 0)

    def _replace_session(self, checked: User, caller: Caller, device: Device, means: str) -> TokenPair:
        with self.database.write() as db:
            user = db.get(User, checked.id, with_for_update=True)
            # The proof was checked before this transaction. If the password or the mobile changed since, it is void.
            if user is None or (user.password_hash, user.mobile) != (checked.password_hash, checked.mobile):
                raise CredentialsWrong
            pair = self.sessions.replace(db, user, caller.session_id or "", device)
            write_audit_entry(db, _entry(user, DONE, means), now=self.clock())
            return pair

    def _record(self, user: User, outcome: str, means: str) -> None:
        with self.database.write() as db:
            write_audit_entry(db, _entry(user, outcome, means), now=self.clock())


def _entry(user: User, outcome: str, means: str) -> AuditEntry:
    mobile = Mobile(user.mobile)
    return AuditEntry("reauthentication", outcome, user_id=user.id, actor_id=user.id, mobile=mobile, detail=means)
