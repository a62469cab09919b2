"""Asks sms-service whether an SMS code is right, which uses the code up."""

import re

from chassis.errors import UpstreamUnavailable
from chassis.mobiles import Mobile
from chassis.service_client import ServiceClient

_CODE = re.compile(r"[0-9]{4,10}")


class SmsCodes:
    """The codes of sms-service, from the side that consumes them."""

    def __init__(self, sms_service: ServiceClient) -> None:
        self._sms_service = sms_service

    def consume(self, *, mobile: Mobile, purpose: str, code: str, subject: int | None = None) -> bool:
        """Use a code up if it is right; False for a wrong one, which counts as a try.

        ``subject`` is the user who must have asked for it, for the purposes that are bound to one.

        Raises:
            SmsCodeExpired: there is no live code for this mobile, purpose and subject.
            XinjingError: sms-service refused or failed.
        """
        if not _CODE.fullmatch(code):
            return False
        question = {"mobile": mobile, "purpose": purpose, "code": code}
        if subject is not None:
            question["subject"] = str(subject)
        answer = self._sms_service.call("POST", "/internal/sms-codes/consume", json=question)
        verified = answer.get("verified") if isinstance(answer, dict) else None
        if not isinstance(verified, bool):
            raise UpstreamUnavailable("sms-service did not say whether the code is right.")
        return verified
