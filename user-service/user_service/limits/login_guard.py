"""What stands before every check of a password at the login: limits, a captcha, the tarpit, the last bolt.

All of it depends on counters of the mobile and the address, never on whether there is an account.
"""

from dataclasses import dataclass

from chassis.errors import XinjingError
from chassis.mobiles import Mobile
from user_service.clients.captcha_service import CaptchaAnswer, Captchas
from user_service.limits.failure_counts import FailureStreaks, Tarpit
from user_service.limits.rate_limits import AttemptLimits, Bucket


@dataclass(frozen=True)
class Attempt:
    """One admitted attempt, counted as a failure until it has `PasswordAttempts.succeeded`.

    After too many in a row it ``is_hopeless``: the right password must be answered as a wrong one.
    """

    account_key: str
    buckets: list[Bucket]
    is_hopeless: bool


class PasswordAttempts:
    """Admits attempts. Fails closed."""

    def __init__(
        self, limits: AttemptLimits, streaks: FailureStreaks, captchas: Captchas, tarpit: Tarpit, *, most_in_a_row: int
    ) -> None:
        self._limits = limits
        self._streaks = streaks
        self._captchas = captchas
        self._tarpit = tarpit
        self._most_in_a_row = most_in_a_row

    def admit(self, mobile: Mobile, ip: str, captcha: CaptchaAnswer | None) -> Attempt:
        """Count an attempt and let it be judged, perhaps after some seconds. A captcha that is sent is always judged.

        Raises:
            TooManyRequests: too many failures, or too many attempts are held up already.
            CaptchaRequired, CaptchaWrong, CaptchaExpired: no password is checked and nothing counted.
            XinjingError: Redis or captcha-service is away.
        """
        buckets, account = self._limits.for_password(mobile, ip), self._limits.account_key(mobile)
        # Who has neither a captcha to be judged nor a second to wait is counted in the same step.
        counts_below = Tarpit.FAILURES_PER_SECOND if captcha is None else 0
        streak = self._streaks.charge(account, buckets, asks_captcha=captcha is None, counts_below=counts_below)
        if streak.is_counted:
            failures = streak.failures + 1
        else:
            self._hold(streak.failures, buckets, captcha)
            failures = self._streaks.add(account)
        return Attempt(account, buckets, is_hopeless=failures > self._most_in_a_row)

    def _hold(self, failures: int, buckets: list[Bucket], captcha: CaptchaAnswer | None) -> None:
        try:
            if captcha is not None:
                self._captchas.spend(captcha)
            self._tarpit.hold(failures)
        except XinjingError:
            self._limits.refund(buckets)
            raise

    def succeeded(self, attempt: Attempt) -> None:
        """Give an attempt back whose password was right, and begin the count in a row anew."""
        self._streaks.refund(attempt.account_key, attempt.buckets)

    def end_streak(self, mobile: Mobile) -> None:
        """Begin the count in a row anew, because the owner of a mobile proved to have it."""
        self._streaks.end(self._limits.account_key(mobile))
