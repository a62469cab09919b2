"""A new mobile for a signed-in user, who holds a code that was texted to it and has just proved who they are."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from chassis.database import Database
from chassis.errors import MobileTaken, SmsCodeWrong
from chassis.mobiles import Mobile, mask_mobile
from user_service.accounts.accounts import locked_account
from user_service.accounts.notices import Notices
from user_service.audit.failures import FailureLog
from user_service.audit.log import DONE, Happening, record
from user_service.clients.sms_service import SmsCodes
from user_service.limits.rate_limits import AttemptLimits
from user_service.models import User
from user_service.sessions.step_up import require_fresh_proof


class MobileChanges:
    """Changes mobiles; the old one is told."""

    def __init__(
        self,
        database: Database,
        sms_codes: SmsCodes,
        notices: Notices,
        *,
        limits: AttemptLimits,
        failures: FailureLog,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._sms_codes = sms_codes
        self._notices = notices
        self._limits = limits
        self._failures = failures
        self._clock = clock

    def change(self, user_id: int, mobile: Mobile, code: str, ip: str) -> User:
        """Give an account another mobile and return it.

        Raises:
            StepUpRequired: the last proof of who they are is too old.
            SmsCodeWrong, SmsCodeExpired: no code of this user for this mobile, or another one.
            MobileTaken: another account has it; told only to who holds its code.
            TooManyRequests, DependencyUnavailable: not now.
        """
        require_fresh_proof(self._clock())
        with self._failures.watch("mobile_changed", mobile, ip, user_id=user_id):
            buckets = self._limits.for_code(ip)
            self._limits.charge(buckets)
            if not self._sms_codes.consume(mobile=mobile, purpose="change_mobile", code=code, subject=user_id):
                raise SmsCodeWrong
            user, old = self._store(user_id, mobile)
        if old != mobile:
            self._notices.mobile_changed(old)
        self._limits.refund(buckets)
        return user

    def _store(self, user_id: int, mobile: Mobile) -> tuple[User, Mobile]:
        # The unique constraint decides who gets a mobile, never a look before.
        try:
            with self._database.write() as db:
                user = locked_account(db, user_id)
                old, user.mobile = Mobile(user.mobile), mobile
                if old != mobile:
                    detail = f"from {mask_mobile(old)}"
                    record(db, Happening("mobile_changed", DONE, user_id, user_id, mobile, detail), now=self._clock())
                return user, old
        except IntegrityError as error:
            raise MobileTaken from error
