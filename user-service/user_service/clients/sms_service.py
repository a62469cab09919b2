"""Asks sms-service whether an SMS code is right, and has it text notices to the owner of an account."""

import re
from dataclasses import dataclass

from flask import has_request_context, request
from prometheus_client import Counter
from structlog import get_logger

from chassis.errors import UpstreamUnavailable, XinjingError
from chassis.mobiles import Mobile
from chassis.service_client import ServiceClient
from chassis.texts import plain

log = get_logger(__name__)
NOTICES = Counter("user_notices_total", "Notices to owners, by what became of them.", ["notice", "result"])
_CODE = re.compile(r"[0-9]{6}")
# Our HTTP client refuses some header values. Only a value that it surely sends is passed on, so that nobody can
# suppress a notice by a bad header.
_LANGUAGES = re.compile(r"[A-Za-z0-9*][A-Za-z0-9*,;=. -]{0,199}")


@dataclass(frozen=True)
class SmsCodes:
    """The codes of sms-service."""

    sms_service: ServiceClient

    def consume(self, *, mobile: Mobile, purpose: str, code: str, subject: int | None = None) -> bool:
        """Use a code up if it is right. False means that it is wrong, which counts as an attempt on the mobile.

        The digits of the text count, whatever stands between them. With fewer or more than a code has, nobody is asked.
        ``subject`` is the user who must have asked for the code, for the purposes that are bound to a user.

        Raises:
            SmsCodeExpired: there is no live code for this mobile, purpose and subject.
            XinjingError: sms-service refused or failed.
        """
        digits = re.sub("[^0-9]", "", plain(code))
        if not _CODE.fullmatch(digits):
            return False
        body = {"mobile": mobile, "purpose": purpose, "code": digits}
        if subject is not None:
            body["subject"] = str(subject)
        reply = self.sms_service.call("POST", "/internal/sms-codes/consume", json=body)
        verified = reply.get("verified") if isinstance(reply, dict) else None
        if not isinstance(verified, bool):
            raise UpstreamUnavailable("sms-service did not say whether the code is right.")
        return verified


@dataclass(frozen=True)
class Notices:
    """The notices of sms-service. A notice that cannot be sent fails nothing: the change is done already."""

    sms_service: ServiceClient

    def send_password_changed(self, mobile: Mobile) -> None:
        """Text the owner that the password was changed."""
        self._send_notice(mobile, "password_changed")

    def send_mobile_changed(self, old_mobile: Mobile) -> None:
        """Text the old mobile that the account has another one now."""
        self._send_notice(old_mobile, "mobile_changed")

    def _send_notice(self, mobile: Mobile, notice: str) -> None:
        body = {"mobile": mobile, "notice": notice}
        try:
            self.sms_service.call("POST", "/internal/sms-notices", json=body, headers=_language())
        except XinjingError as error:
            NOTICES.labels(notice, error.code).inc()
            log.warning("notice_not_sent", notice=notice, reason=error.code)
        else:
            NOTICES.labels(notice, "taken").inc()


def _language() -> dict[str, str]:
    languages = request.headers.get("Accept-Language", "") if has_request_context() else ""
    return {"Accept-Language": languages} if _LANGUAGES.fullmatch(languages) else {}
