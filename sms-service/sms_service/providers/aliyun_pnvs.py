"""The provider aliyun_pnvs (阿里云号码认证服务): SendSmsVerifyCode of Dypnsapi, for senders without a company.

The vendor lends signatures and templates, so the operator needs none. It texts nothing but codes, and only to mainland
China. It also offers to make codes and to check them; we use neither, as `_build_parameters` says.

Sources: https://help.aliyun.com/zh/pnvs/developer-reference/api-dypnsapi-2017-05-25-sendsmsverifycode (request, answer,
error codes), https://help.aliyun.com/zh/pnvs/developer-reference/api-return-code (more codes) and
https://help.aliyun.com/zh/pnvs/developer-reference/dypnssmsverifyreport-http (receipts, in the form of aliyun's).
"""

import json
from datetime import datetime

from sms_service.codes.purposes import Notice, Purpose
from sms_service.codes.templates import Templates
from sms_service.providers.aliyun import AliyunApi, make_error_codes
from sms_service.providers.provider import Outcome, OutgoingSms, ProviderAnswer, TemplateIds

_CHINA = "+86"


class AliyunPnvs:
    """Sends by SendSmsVerifyCode. The template's variables are named ``code`` and ``min``, as in all that it lends."""

    name = "aliyun_pnvs"

    def __init__(self, api: AliyunApi, *, sign_name: str, templates: Templates) -> None:
        self._api = api
        self._sign_name = sign_name
        self._template_ids = TemplateIds(templates, self.name)

    def send_text(self, sms: OutgoingSms) -> ProviderAnswer:
        """Hand a text over, as `Provider.send_text`. A mobile abroad is refused here; routes do not lead one here."""
        if not sms.mobile.startswith(_CHINA):
            return ProviderAnswer(Outcome.REFUSED_RECIPIENT, "abroad")
        return self._api.call("SendSmsVerifyCode", self._build_parameters(sms), ERROR_CODES)

    def _build_parameters(self, sms: OutgoingSms) -> dict[str, str]:
        return {
            # After a carrier's plain refusal the vendor tries another carrier or signature, within ValidTime.
            "AutoRetry": "1",
            "CountryCode": _CHINA.removeprefix("+"),
            # Whether a new code ends the older ones (1) or not (2). This decides only what the vendor's own check says,
            # which we never ask; it drops no text. With us, too, the newest code is the valid one.
            "DuplicatePolicy": "1",
            # Seconds until the vendor texts a mobile again; 60 unless set, counted from the last text. A user who asks
            # again 60 seconds after the last request, as we allow, could be refused. So our own limits decide alone.
            "Interval": "1",
            "OutId": sms.job_id,  # Comes back in the receipt; the vendor does not recognise repetitions by it.
            "PhoneNumber": sms.mobile.removeprefix(_CHINA),
            "ReturnVerifyCode": "false",
            "SignName": self._sign_name,
            "TemplateCode": self._template_ids.id_for(sms),
            # The vendor texts a code as it is, and makes one of its own only for ##code##.
            "TemplateParam": json.dumps({"code": sms.code, "min": str(sms.valid_minutes)}, separators=(",", ":")),
            "ValidTime": str(sms.valid_minutes * 60),
        }

    def supports(self, purpose: Purpose | Notice) -> bool:
        """Say yes to codes, no to notices, as `Provider.supports`: all of the vendor's templates take a code."""
        return isinstance(purpose, Purpose)

    def repeats_safely(self, *, first_sent_at: datetime, at: datetime) -> bool:  # noqa: ARG002 - Provider's
        """Say no: the vendor takes no idempotency key."""
        return False

    def close_connections(self) -> None:
        """Close the connections."""
        self._api.close_connections()


ERROR_CODES = make_error_codes(
    AliyunPnvs.name,
    {
        Outcome.REFUSED_RECIPIENT: ["MOBILE_NUMBER_ILLEGAL"],
        # Of the number: a day's limit, and the interval. The vendor documents FREQUENCY_FAIL; public clients of the
        # operation handle biz.FREQUENCY too, so they have met it.
        Outcome.REFUSED_LIMIT: ["BUSINESS_LIMIT_CONTROL", "FREQUENCY_FAIL", "biz.FREQUENCY"],
        Outcome.REFUSED_CONFIG: ["INVALID_PARAMETERS", "FUNCTION_NOT_OPENED", "isv.RAM_PERMISSION_DENY"],
    },
)
