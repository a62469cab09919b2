"""The provider tencent (腾讯云): SendSms, version 2021-01-11.

Source: cloud.tencent.com/document/api/382/55981, by way of the SMS note, section 3.3.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any  # A member of foreign JSON.
from urllib.parse import urlsplit

from sms_service.providers.outcomes import ProviderAnswer
from sms_service.providers.provider import OutgoingSms
from sms_service.providers.template_ids import TemplateIds
from sms_service.providers.tencent_codes import CODES
from sms_service.providers.tencent_signing import CONTENT_TYPE, TencentCall, TencentKey, authorization
from sms_service.providers.vendor_http import Unreadable, VendorHttp, VendorReply, as_message_id
from sms_service.purposes import Notice, Purpose
from sms_service.templates import Templates


@dataclass(frozen=True)
class TencentApp:
    """An app of the vendor's console, the sign of its texts, and the region that takes them."""

    sdk_app_id: str
    sign_name: str
    region: str = "ap-guangzhou"


class Tencent:
    """Sends by SendSms; the template takes the code and the minutes, in this order."""

    name = "tencent"

    def __init__(
        self,
        address: str,
        key: TencentKey,
        app: TencentApp,
        http: VendorHttp,
        *,
        templates: Templates,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._address = address.rstrip("/")
        self._key = key
        self._app = app
        self._http = http
        self._template_ids = TemplateIds(templates, self.name)
        self._clock = clock

    def send(self, sms: OutgoingSms) -> ProviderAnswer:
        """Hand a text over, as `Provider.send`."""
        host = urlsplit(self._address).netloc
        call = TencentCall(host, "sms", "SendSms", self._order(sms), timestamp=int(self._clock().timestamp()))
        headers = {
            "Host": call.host,
            "Content-Type": CONTENT_TYPE,
            "Authorization": authorization(call, self._key),
            "X-TC-Action": call.action,
            "X-TC-Version": "2021-01-11",
            "X-TC-Timestamp": str(call.timestamp),
            "X-TC-Region": self._app.region,
        }
        return self._http.ask(f"{self._address}/", body=call.body, headers=headers, read=_read)

    def _order(self, sms: OutgoingSms) -> bytes:
        order = {
            "PhoneNumberSet": [sms.mobile],
            "SmsSdkAppId": self._app.sdk_app_id,
            "SignName": self._app.sign_name,
            "TemplateId": self._template_ids.of(sms),
            "TemplateParamSet": [*sms.parameters.values()],
            "SessionContext": sms.job_id,  # Comes back in the receipt; the vendor does not tell repetitions by it.
        }
        return json.dumps(order, separators=(",", ":")).encode()

    def carries(self, purpose: Purpose | Notice) -> bool:
        """Say whether the vendor keeps a template for it, as `Provider.carries`."""
        return self._template_ids.has(purpose)

    def repeats_safely(self, *, first_sent_at: datetime, at: datetime) -> bool:  # noqa: ARG002 - Provider's
        """Say no: the vendor takes no idempotency key."""
        return False

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _read(reply: VendorReply) -> ProviderAnswer:
    """Read the error of the whole call, or else what became of our one number: HTTP is 200 in all cases."""
    if reply.status != 200:
        raise Unreadable
    answer = _object(reply.json_object().get("Response"))
    statuses = answer.get("SendStatusSet")
    if "Error" in answer:
        status = _object(answer["Error"])
    elif isinstance(statuses, list) and len(statuses) == 1:
        status = _object(statuses[0])
    else:
        raise Unreadable
    if not isinstance(status.get("Code"), str):
        raise Unreadable
    return CODES.answer(status["Code"], message_id=as_message_id(status.get("SerialNo")))


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable
    return value
