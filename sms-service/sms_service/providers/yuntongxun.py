"""The provider yuntongxun (容联云): TemplateSMS, as its documentation says.

Source: console.yuntongxun.com/doc/rest/sms/3_2_2_2.html, by way of the SMS note, section 3.1. The vendor publishes no
form of its delivery receipts, so we read none.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import quote

from structlog import get_logger

from sms_service.providers.outcomes import Outcome, ProviderAnswer
from sms_service.providers.provider import OutgoingSms
from sms_service.providers.template_ids import TemplateIds
from sms_service.providers.vendor_http import Unreadable, VendorHttp, VendorReply, as_message_id
from sms_service.providers.yuntongxun_codes import ALERTING, CODES
from sms_service.providers.yuntongxun_signing import YuntongxunAccount, authorization, signature
from sms_service.purposes import Notice, Purpose
from sms_service.templates import Templates

log = get_logger(__name__)
# China has one zone and no summer time; a fixed offset needs no zone files in a container.
BEIJING = timezone(timedelta(hours=8))
_CHINA = "+86"
# TemplateSMS takes numbers of mainland China alone. That is the recipient's region and no fault of the provider, so
# its breaker must not open for it: routes send other countries elsewhere.
_ABROAD = ProviderAnswer(Outcome.REFUSED_RECIPIENT, "abroad")


class Yuntongxun:
    """Sends by TemplateSMS; the template takes the code and the minutes, in this order."""

    name = "yuntongxun"

    def __init__(
        self,
        address: str,
        account: YuntongxunAccount,
        http: VendorHttp,
        *,
        templates: Templates,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._url = f"{address.rstrip('/')}/2013-12-26/Accounts/{quote(account.sid, safe='')}/SMS/TemplateSMS"
        self._account = account
        self._http = http
        self._template_ids = TemplateIds(templates, self.name)
        self._clock = clock

    def send(self, sms: OutgoingSms) -> ProviderAnswer:
        """Hand a text over, as `Provider.send`; ``reqId`` is the job's id."""
        if not sms.mobile.startswith(_CHINA):
            return _ABROAD
        timestamp = self._clock().astimezone(BEIJING).strftime("%Y%m%d%H%M%S")
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/json;charset=utf-8",
            "Authorization": authorization(self._account, timestamp),
        }
        url = f"{self._url}?sig={signature(self._account, timestamp)}"
        return self._http.ask(url, body=self._order(sms), headers=headers, read=_read)

    def _order(self, sms: OutgoingSms) -> bytes:
        order = {
            "to": sms.mobile.removeprefix(_CHINA),
            "appId": self._account.app_id,
            "templateId": self._template_ids.of(sms),
            "datas": [*sms.parameters.values()],
            "reqId": sms.job_id,
        }
        return json.dumps(order, separators=(",", ":")).encode()

    def carries(self, purpose: Purpose | Notice) -> bool:
        """Say whether the vendor keeps a template for it, as `Provider.carries`."""
        return self._template_ids.has(purpose)

    def repeats_safely(self, *, first_sent_at: datetime, at: datetime) -> bool:
        """Say whether both times are on one day in Beijing, as the vendor forgets its reqIds at midnight."""
        return first_sent_at.astimezone(BEIJING).date() == at.astimezone(BEIJING).date()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _read(reply: VendorReply) -> ProviderAnswer:
    answer = reply.json_object()
    code = answer.get("statusCode")
    # The vendor answers 200 always; the codes that its old SDK makes up stand under other names than statusCode.
    if reply.status != 200 or not (isinstance(code, str) and len(code) == 6 and code.isascii() and code.isdigit()):
        raise Unreadable
    if code in ALERTING:
        log.error("provider_setup_suspect", provider=Yuntongxun.name, answered=code)
    details = answer.get("templateSMS") or answer.get("TemplateSMS")  # A known mock spells it so.
    return CODES.answer(
        code, message_id=as_message_id(details.get("smsMessageSid")) if isinstance(details, dict) else ""
    )
