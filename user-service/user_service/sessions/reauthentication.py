"""Proving again who one is, within a session: what follows may do what a stolen token may not (see `step_up`)."""

from collections.abc import Callable
from datetime import datetime

from chassis.database import Database
from chassis.errors import CredentialsWrong, SmsCodeExpired, Unauthenticated
from chassis.identity import Caller
from chassis.mobiles import Mobile
from user_service.audit.log import DONE, Happening, record
from user_service.clients.sms_service import SmsCodes
from user_service.limits.rate_limits import AttemptLimits
from user_service.models import User
from user_service.passwords.hashing import Passwords
from user_service.sessions.grants import Device, Grant
from user_service.sessions.sessions import Sessions


class Reauthentication:
    """Replaces a session by one whose proof is fresh. Failures are limited and look alike, as those of logging in."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        sms_codes: SmsCodes,
        *,
        passwords: Passwords,
        limits: AttemptLimits,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._sms_codes = sms_codes
        self._passwords = passwords
        self._limits = limits
        self._clock = clock

    def by_password(self, caller: Caller, password: str, device: Device, ip: str) -> Grant:
        """Replace the caller's session, for the account's password.

        Raises:
            CredentialsWrong: another password.
            Unauthenticated: the session or the account is over.
            TooManyRequests: too many failures; they count with those of logging in.
            DependencyUnavailable: a part is away, or too many passwords are being checked.
        """
        user = self._user(caller)
        buckets = self._limits.for_password(Mobile(user.mobile), ip)
        self._limits.charge(buckets)
        if not self._passwords.matches(user.password_hash, password):
            raise self._refusal(user, "password")
        self._limits.refund(buckets)
        return self._replace(user, caller, device, "password")

    def by_code(self, caller: Caller, code: str, device: Device, ip: str) -> Grant:
        """Replace the caller's session, for a code that was texted to the account's mobile for this user alone.

        Raises:
            CredentialsWrong: a wrong or expired code.
            XinjingError: as in `by_password`, and when sms-service is away.
        """
        user = self._user(caller)
        buckets = self._limits.for_code(ip)
        self._limits.charge(buckets)
        mobile = Mobile(user.mobile)
        try:
            verified = self._sms_codes.consume(mobile=mobile, purpose="reauthenticate", code=code, subject=user.id)
        except SmsCodeExpired as error:
            raise self._refusal(user, "sms_code") from error
        if not verified:
            raise self._refusal(user, "sms_code")
        self._limits.refund(buckets)
        return self._replace(user, caller, device, "sms_code")

    def _user(self, caller: Caller) -> User:
        with self._database.read() as db:
            user = db.get(User, caller.user_id)
        if user is None or user.deleted_at is not None:
            raise Unauthenticated
        return user

    def _replace(self, checked: User, caller: Caller, device: Device, means: str) -> Grant:
        with self._database.write() as db:
            user = db.get(User, checked.id, with_for_update=True)
            # What was proved outside of this transaction must still be what proves.
            if user is None or (user.password_hash, user.mobile) != (checked.password_hash, checked.mobile):
                raise CredentialsWrong
            grant = self._sessions.replace(db, user, caller.session_id or "", device)
            record(db, _happening(user, DONE, means), now=self._clock())
            return grant

    def _refusal(self, user: User, means: str) -> CredentialsWrong:
        with self._database.write() as db:
            record(db, _happening(user, CredentialsWrong.code, means), now=self._clock())
        return CredentialsWrong()


def _happening(user: User, outcome: str, means: str) -> Happening:
    mobile = Mobile(user.mobile)
    return Happening("reauthentication", outcome, user_id=user.id, actor_id=user.id, mobile=mobile, detail=means)
