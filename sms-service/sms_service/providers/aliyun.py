"""The provider aliyun (阿里云): SendSms of Dysmsapi, version 2017-05-25.

Source: help.aliyun.com/document_detail/2593177.html, by way of the SMS note, section 3.2.
"""

import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

from sms_service.providers.aliyun_codes import CODES
from sms_service.providers.aliyun_signing import AliyunCall, AliyunKey, headers_of
from sms_service.providers.outcomes import Outcome, ProviderAnswer
from sms_service.providers.provider import OutgoingSms
from sms_service.providers.template_ids import TemplateIds
from sms_service.providers.vendor_http import Unreadable, VendorHttp, VendorReply, as_message_id
from sms_service.purposes import Notice, Purpose
from sms_service.templates import Templates


class Aliyun:
    """Sends by SendSms. The template's variables must be named ``code`` and, if it tells the minutes, ``minutes``."""

    name = "aliyun"

    def __init__(
        self,
        address: str,
        key: AliyunKey,
        http: VendorHttp,
        *,
        sign_name: str,
        templates: Templates,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        nonce: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self._address = address.rstrip("/")
        self._key = key
        self._http = http
        self._sign_name = sign_name
        self._template_ids = TemplateIds(templates, self.name)
        self._clock = clock
        self._nonce = nonce

    def send(self, sms: OutgoingSms) -> ProviderAnswer:
        """Hand a text over, as `Provider.send`."""
        host = urlsplit(self._address).netloc
        call = AliyunCall(host, "SendSms", "2017-05-25", self._order(sms), at=self._clock(), nonce=self._nonce())
        url = f"{self._address}/?{call.query}"
        return self._http.ask(url, body=b"", headers=headers_of(call, self._key), read=_read)

    def _order(self, sms: OutgoingSms) -> dict[str, str]:
        order = {
            "OutId": sms.job_id,  # Comes back in the receipt; the vendor does not tell repetitions by it.
            "PhoneNumbers": sms.mobile.removeprefix("+86").removeprefix("+"),  # Abroad: country code and number.
            "SignName": self._sign_name,
            "TemplateCode": self._template_ids.of(sms),
        }
        if sms.parameters:
            order["TemplateParam"] = json.dumps(sms.parameters, separators=(",", ":"))
        return order

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
    answer = reply.json_object()
    code = answer.get("Code")
    if not isinstance(code, str):
        raise Unreadable
    read = CODES.answer(code, message_id=as_message_id(answer.get("BizId")))
    if read.outcome is Outcome.ACCEPTED and reply.status != 200:
        raise Unreadable
    return read
