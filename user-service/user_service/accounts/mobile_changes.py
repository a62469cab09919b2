"""Changes the mobile of a signed-in user, who has a code that was texted to the new one."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from chassis.database import Database
from chassis.errors import MobileTaken
from chassis.mobiles import Mobile, mask_mobile
from user_service.audit.log import DONE, AuditEntry, FailureLog, write_audit_entry
from user_service.clients.sms_service import Notices
from user_service.limits.code_proofs import CodeProof, CodeProofs
from user_service.models import User, locked_account
from user_service.tokens.access_tokens import require_recent_authentication


@dataclass(frozen=True, kw_only=True)
class MobileChanges:
    """Changes mobiles, and texts a notice to the old one."""

    database: Database
    code_proofs: CodeProofs
    notices: Notices
    failures: FailureLog
    clock: Callable[[], datetime]

    def change_mobile(self, user_id: int, mobile: Mobile, code: str, ip: str) -> User:
        """Give an account another mobile and return it.

        Raises:
            StepUpRequired: the last authentication is too old.
            SmsCodeWrong, SmsCodeExpired: this user has no code for this mobile, or another one.
            MobileTaken: another account has it; only a person who holds its code learns that.
            TooManyRequests, DependencyUnavailable: not now.
        """
        require_recent_authentication(self.clock())
        with self.failures.watch("mobile_changed", mobile, ip, user_id=user_id):
            self.code_proofs.present(
                CodeProof(mobile=mobile, purpose="change_mobile", code=code, ip=ip, subject=user_id)
            )
            user, old = self._store_mobile(user_id, mobile)
        if old != mobile:
            self.notices.send_mobile_changed(old)
        return user

    def _store_mobile(self, user_id: int, mobile: Mobile) -> tuple[User, Mobile]:
        # The unique constraint decides whose a mobile is, because a query before the update could be outrun.
        try:
            with self.database.write() as db:
                user = locked_account(db, user_id)
                old, user.mobile = Mobile(user.mobile), mobile
                if old != mobile:
                    detail = f"from {mask_mobile(old)}"
                    entry = AuditEntry("mobile_changed", DONE, user_id, user_id, mobile, detail)
                    write_audit_entry(db, entry, now=self.clock())
                return user, old
        except IntegrityError as error:
            raise MobileTaken from error
