"""Proofs by SMS code: a person who sends the right code of a mobile has that mobile."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from chassis.addresses import client_network
from chassis.database import Database
from chassis.errors import SmsCodeExpired, SmsCodeWrong
from chassis.mobiles import Mobile
from user_service.clients.sms_service import SmsCodes
from user_service.limits.login_guard import Bucket, RateLimits

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class CodeProof:
    """A code and what it was texted for; ``subject`` is the user that a code of this purpose is bound to."""

    mobile: Mobile
    purpose: str
    code: str = field(repr=False)
    ip: str
    subject: int | None = None


@dataclass(frozen=True, kw_only=True)
class CodeProofs:
    """Checks codes, in one order for every flow: charge the client's network, use the code up, refund.

    A code that sms-service refuses costs one attempt: a wrong one, and one for which nothing live is left, because both
    are guesses. Everything else costs nothing: a right code, whatever the flow does afterwards, and an outage. Every
    flow stores something afterwards, so while the database is away no code is used up. The limit is on the network
    alone; sms-service counts the attempts on a mobile.
    """

    limits: RateLimits
    database: Database
    sms_codes: SmsCodes
    per_ip_per_minute: int

    def present(self, proof: CodeProof) -> None:
        """Use a right code up.

        Raises:
            SmsCodeWrong: another code was texted.
            SmsCodeExpired: there is no live code for this mobile, purpose and subject.
            TooManyRequests: too many attempts from this network, or on this mobile.
            XinjingError: sms-service, Redis or the database is away.
        """
        self.present_after(lambda: None, proof)

    def present_after(self, prepare: Callable[[], T], proof: CodeProof) -> T:
        """Do as `present`, and call ``prepare`` between the charge and the use of the code; return its result.

        It is for expensive work that may fail: the limit bounds it, and its failure does not use the code up.
        """
        bucket = Bucket(f"user:code:ip:{client_network(proof.ip)}", self.per_ip_per_minute, 60)
        with self.limits.attempt(bucket) as attempt:
            prepared = prepare()
            self.database.is_up()
            try:
                attempt.is_right = self.sms_codes.consume(
                    mobile=proof.mobile, purpose=proof.purpose, code=proof.code, subject=proof.subject
                )
            except SmsCodeExpired:
                attempt.is_right = False
                raise
        if not attempt.is_right:
            raise SmsCodeWrong
        return prepared
