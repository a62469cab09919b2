"""Tells an owner by SMS what changed, through sms-service: best effort, as the change itself is done by then."""

import re

from flask import has_request_context, request
from prometheus_client import Counter
from structlog import get_logger

from chassis.errors import XinjingError
from chassis.mobiles import Mobile
from chassis.service_client import ServiceClient

log = get_logger(__name__)
NOTICES = Counter("user_notices_total", "Notices to owners, by what became of them.", ["notice", "result"])
# What our client passes on for sure: nobody may suppress a notice by a header that it refuses.
_LANGUAGES = re.compile(r"[A-Za-z0-9*][A-Za-z0-9*,;=. -]{0,199}")


class Notices:
    """The notices of sms-service, from the side that asks for them."""

    def __init__(self, sms_service: ServiceClient) -> None:
        self._sms_service = sms_service

    def password_changed(self, mobile: Mobile) -> None:
        """Tell that the password is another one."""
        self._send(mobile, "password_changed")

    def mobile_changed(self, old_mobile: Mobile) -> None:
        """Tell the old mobile that the account has another one."""
        self._send(old_mobile, "mobile_changed")

    def _send(self, mobile: Mobile, notice: str) -> None:
        order = {"mobile": mobile, "notice": notice}
        try:
            self._sms_service.call("POST", "/internal/sms-notices", json=order, headers=_language())
        except XinjingError as error:
            NOTICES.labels(notice, error.code).inc()
            log.warning("notice_not_sent", notice=notice, reason=error.code)
        else:
            NOTICES.labels(notice, "taken").inc()


def _language() -> dict[str, str]:
    wanted = request.headers.get("Accept-Language", "") if has_request_context() else ""
    return {"Accept-Language": wanted} if _LANGUAGES.fullmatch(wanted) else {}
