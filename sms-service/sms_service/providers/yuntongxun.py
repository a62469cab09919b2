"""The provider yuntongxun (容联云): TemplateSMS.

Source: https://console.yuntongxun.com/doc/rest/sms/3_2_2_2.html (request, signature and status codes). The vendor
publishes no form of its delivery receipts, so we read none.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import quote

from structlog import get_logger

from sms_service.codes.purposes import Notice, Purpose
from sms_service.codes.templates import Templates
from sms_service.providers.http_client import Unreadable, VendorHttp, VendorReply, classify_reply, parse_message_id
from sms_service.providers.provider import ErrorCodeTable, Outcome, OutgoingSms, ProviderAnswer, TemplateIds

log = get_logger(__name__)
# China has one zone and no summer time; a fixed offset needs no zone files in a container.
BEIJING = timezone(timedelta(hours=8))
_CHINA = "+86"
# TemplateSMS takes numbers of mainland China alone. Another number is refused as a recipient, which does not open the
# provider's breaker; routes should send other countries elsewhere.
_ABROAD = ProviderAnswer(Outcome.REFUSED_RECIPIENT, "abroad")


@dataclass(frozen=True)
class YuntongxunAccount:
    """The credentials."""

    sid: str
    auth_token: str = field(repr=False)
    app_id: str


def signature(account: YuntongxunAccount, timestamp: str) -> str:
    """Compute ``sig``: upper-case hex MD5 of sid, token and ``yyyyMMddHHmmss``. MD5 is the vendor's choice."""
    text = account.sid + account.auth_token + timestamp
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()


def authorization(account: YuntongxunAccount, timestamp: str) -> str:
    """Compute the ``Authorization`` header, which has no scheme."""
    return base64.b64encode(f"{account.sid}:{timestamp}".encode()).decode()


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

    def send_text(self, sms: OutgoingSms) -> ProviderAnswer:
        """Hand a text over, as `Provider.send_text`; ``reqId`` is the job's id."""
        if not sms.mobile.startswith(_CHINA):
            return _ABROAD
        timestamp = self._clock().astimezone(BEIJING).strftime("%Y%m%d%H%M%S")
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/json;charset=utf-8",
            "Authorization": authorization(self._account, timestamp),
        }
        url = f"{self._url}?sig={signature(self._account, timestamp)}"
        return self._http.post(url, body=self._build_body(sms), headers=headers, parse=_parse_answer)

    def _build_body(self, sms: OutgoingSms) -> bytes:
        fields = {
            "to": sms.mobile.removeprefix(_CHINA),
            "appId": self._account.app_id,
            "templateId": self._template_ids.id_for(sms),
            "datas": [*sms.parameters.values()],
            "reqId": sms.job_id,
        }
        return json.dumps(fields, separators=(",", ":")).encode()

    def supports(self, purpose: Purpose | Notice) -> bool:
        """Say whether there is a template of the vendor for it, as `Provider.supports`."""
        return self._template_ids.has_template(purpose)

    def repeats_safely(self, *, first_sent_at: datetime, at: datetime) -> bool:
        """Say whether both times are on one day in Beijing, as the vendor forgets its reqIds at midnight."""
        return first_sent_at.astimezone(BEIJING).date() == at.astimezone(BEIJING).date()

    def close_connections(self) -> None:
        """Close the connections."""
        self._http.close_connections()


def _parse_answer(reply: VendorReply) -> ProviderAnswer:
    fields = reply.json_object()
    code = fields.get("statusCode")
    if not (isinstance(code, str) and len(code) == 6 and code.isascii() and code.isdigit()):
        raise Unreadable
    if code in ALERTING:
        log.error("provider_setup_suspect", provider=Yuntongxun.name, answered=code)
    details = fields.get("templateSMS") or fields.get("TemplateSMS")  # A known mock spells it so.
    message_id = parse_message_id(details.get("smsMessageSid")) if isinstance(details, dict) else ""
    return classify_reply(ERROR_CODES, reply, code, message_id=message_id)


def _codes(*spans: int | tuple[int, int]) -> set[str]:
    numbers = [span if isinstance(span, tuple) else (span, span) for span in spans]
    return {f"{number:06d}" for first, last in numbers for number in range(first, last + 1)}


_EXACT = {
    # 160054: the request is repeated. Because the reqId is our own, an earlier attempt of this job was accepted.
    Outcome.ACCEPTED: _codes(0, 160054),
    Outcome.REFUSED_RECIPIENT: _codes(
        160013, 160042, 160044, 112316, 112319,  # Bad number.
        160034, 112317, 160051, 160068, (160072, 160074),  # Blacklist or opt-out.
        160061, 160062,  # Country.
        113302, 112305, 112310,  # App not live, or number not on the test list.
    ),
    Outcome.REFUSED_LIMIT: _codes(160038, (160039, 160041), 160015, 160021, 160022, 160056, 112314),
    Outcome.REFUSED_CONFIG: _codes(
        111109, 111141, 111181, (161100, 161108), 160053,  # Signature, account, app, clock, address list.
        160012, 160014, 161002, 112303,  # Balance or feature.
        160049, 160033, 160018, 160031, 160047,  # Sensitive word, parse.
        160019, 160032, 160036, 160043, 160052, 160055, 160057, (112307, 112309), (112311, 112313), 112323,
    ),
    # 161008-161012 are errors of the vendor's database or Redis: not accepted, given that we always send a reqId.
    Outcome.REFUSED_BUSY: _codes((160001, 160010), 160016, 161005, 161006, 161020, (161008, 161012)),
    Outcome.UNCERTAIN: _codes(
        160000, 112326, 160050, 160063, 160064, 161000, 161001, 161003, 161004, (161021, 161024)
    ),
}  # fmt: skip
# Codes 172xxx are made up by the vendor's old SDK, which knows as little as we do; a proxy may pass them on.
ERROR_CODES = ErrorCodeTable("yuntongxun", _EXACT, {Outcome.UNCERTAIN: ["172"]}, form="[0-9]{6}")
# Refusals of a recipient that our own configuration causes: an operator must act.
ALERTING = _codes(113302, 112305, 112310, 112316, 112317, 112319)
