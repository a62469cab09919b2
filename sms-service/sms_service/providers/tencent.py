"""The provider tencent (腾讯云): SendSms, version 2021-01-11.

Sources: https://cloud.tencent.com/document/api/382/55981 (request and error codes),
https://cloud.tencent.com/document/api/382/52072 (signature) and https://cloud.tencent.com/document/product/382/59178
(receipts). The error codes are spelled as in the vendor's SDK, mistakes included.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar  # Any: a member of foreign JSON.
from urllib.parse import urlsplit

from sms_service.codes.purposes import Notice, Purpose
from sms_service.codes.templates import Templates
from sms_service.providers.http_client import Unreadable, VendorHttp, VendorReply, classify_reply, parse_message_id
from sms_service.providers.provider import ErrorCodeTable, Outcome, OutgoingSms, ProviderAnswer, TemplateIds
from sms_service.providers.receipts import Receipt, ReceiptMalformed, ReceiptRequest, ReceiptStatus, Row, parse_rows

_ALGORITHM = "TC3-HMAC-SHA256"
_SIGNED_HEADERS = "content-type;host;x-tc-action"
CONTENT_TYPE = "application/json; charset=utf-8"


@dataclass(frozen=True)
class TencentKey:
    """An API key."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class TencentApp:
    """An app of the vendor's console, the sign of its texts, and the region that takes them."""

    sdk_app_id: str
    sign_name: str
    region: str = "ap-guangzhou"


# Signature TC3.


@dataclass(frozen=True)
class TencentCall:
    """A POST of these very bytes; the vendor takes ``timestamp`` (Unix seconds) within 5 minutes of its clock."""

    host: str
    service: str
    action: str
    body: bytes
    timestamp: int

    @property
    def scope(self) -> str:
        """What a signature holds for: a day in UTC and a service."""
        return f"{datetime.fromtimestamp(self.timestamp, UTC):%Y-%m-%d}/{self.service}/tc3_request"


def canonical_request(call: TencentCall) -> str:
    """Write what is signed: method, path, an empty query, three headers, and the body's hash."""
    headers = f"content-type:{CONTENT_TYPE}\nhost:{call.host}\nx-tc-action:{call.action.lower()}\n"
    return f"POST\n/\n\n{headers}\n{_SIGNED_HEADERS}\n{hashlib.sha256(call.body).hexdigest()}"


def authorization(call: TencentCall, key: TencentKey) -> str:
    """Compute the ``Authorization`` header. The key is derived from day, service and ``tc3_request``, in this order."""
    derived = f"TC3{key.secret}".encode()
    for part in call.scope.split("/"):
        derived = hmac.digest(derived, part.encode(), "sha256")
    hashed = hashlib.sha256(canonical_request(call).encode()).hexdigest()
    to_sign = f"{_ALGORITHM}\n{call.timestamp}\n{call.scope}\n{hashed}"
    signature = hmac.new(derived, to_sign.encode(), hashlib.sha256).hexdigest()
    return f"{_ALGORITHM} Credential={key.id}/{call.scope}, SignedHeaders={_SIGNED_HEADERS}, Signature={signature}"


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

    def send_text(self, sms: OutgoingSms) -> ProviderAnswer:
        """Hand a text over, as `Provider.send_text`."""
        host = urlsplit(self._address).netloc
        call = TencentCall(host, "sms", "SendSms", self._build_body(sms), timestamp=int(self._clock().timestamp()))
        headers = {
            "Host": call.host,
            "Content-Type": CONTENT_TYPE,
            "Authorization": authorization(call, self._key),
            "X-TC-Action": call.action,
            "X-TC-Version": "2021-01-11",
            "X-TC-Timestamp": str(call.timestamp),
            "X-TC-Region": self._app.region,
        }
        return self._http.post(f"{self._address}/", body=call.body, headers=headers, parse=_parse_answer)

    def _build_body(self, sms: OutgoingSms) -> bytes:
        fields = {
            "PhoneNumberSet": [sms.mobile],
            "SmsSdkAppId": self._app.sdk_app_id,
            "SignName": self._app.sign_name,
            "TemplateId": self._template_ids.id_for(sms),
            "TemplateParamSet": [*sms.parameters.values()],
            "SessionContext": sms.job_id,  # Comes back in the receipt; no idempotency key either.
        }
        return json.dumps(fields, separators=(",", ":")).encode()

    def supports(self, purpose: Purpose | Notice) -> bool:
        """Say whether there is a template of the vendor for it, as `Provider.supports`."""
        return self._template_ids.has_template(purpose)

    def repeats_safely(self, *, first_sent_at: datetime, at: datetime) -> bool:  # noqa: ARG002 - Provider's
        """Say no: the vendor takes no idempotency key."""
        return False

    def close_connections(self) -> None:
        """Close the connections."""
        self._http.close_connections()


def _parse_answer(reply: VendorReply) -> ProviderAnswer:
    """Read the error of the whole call, or else the status of our one number: HTTP is 200 in all documented cases."""
    response = _require_object(reply.json_object().get("Response"))
    statuses = response.get("SendStatusSet")
    if "Error" in response:
        status = _require_object(response["Error"])
    elif isinstance(statuses, list) and len(statuses) == 1:
        status = _require_object(statuses[0])
    else:
        raise Unreadable
    if not isinstance(status.get("Code"), str):
        raise Unreadable
    return classify_reply(ERROR_CODES, reply, status["Code"], message_id=parse_message_id(status.get("SerialNo")))


def _require_object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable
    return value


_EXACT = {
    Outcome.ACCEPTED: ["Ok"],
    Outcome.REFUSED_RECIPIENT: [
        "FailedOperation.PhoneNumberInBlacklist",
        "FailedOperation.PhoneNumberOnBlacklist",
        "FailedOperation.PhoneNumberParseFail",
        "InvalidParameterValue.IncorrectPhoneNumber",
        "UnsupportedOperation.UnsuportedRegion",
    ],
    Outcome.REFUSED_LIMIT: [
        "LimitExceeded.PhoneNumberThirtySecondLimit",
        "LimitExceeded.PhoneNumberOneHourLimit",
        "LimitExceeded.PhoneNumberDailyLimit",
        "LimitExceeded.PhoneNumberSameContentDailyLimit",
        "LimitExceeded.DeliveryFrequencyLimit",
    ],
    Outcome.REFUSED_CONFIG: [
        "LimitExceeded.AppDailyLimit",
        "LimitExceeded.DailyLimit",
        "FailedOperation.InsufficientBalanceInSmsPackage",
        "FailedOperation.SignatureIncorrectOrUnapproved",
        "FailedOperation.TemplateIncorrectOrUnapproved",
        "FailedOperation.ContainSensitiveWord",
        "FailedOperation.MissingSignature",
        "FailedOperation.TemplateParamSetNotMatchApprovedTemplate",
        "FailedOperation.TemplateUnapprovedOrNotExist",
        "FailedOperation.FailResolvePacket",
        "FailedOperation.JsonParseFail",
        "InternalError.SigVerificationFail",
        "InternalError.SigFieldMissing",
        "InternalError.RequestTimeException",
    ],
    Outcome.UNCERTAIN: [
        "InternalError",
        "InternalError.Timeout",
        "InternalError.SendAndRecvFail",
        "InternalError.OtherError",
        "InternalError.UnknownError",
        "FailedOperation",  # "The operation failed", and no more.
        "FailedOperation.OtherError",
    ],
}
_PREFIXES = {
    # UnauthorizedOperation: arrears, address list, app disabled.
    Outcome.REFUSED_CONFIG: [
        "AuthFailure",
        "UnauthorizedOperation",
        "InvalidParameter",
        "MissingParameter",
        "InvalidAction",
        "NoSuchVersion",
    ],
    Outcome.REFUSED_BUSY: ["RequestLimitExceeded"],  # The API takes 3,000 calls a second unless agreed otherwise.
    Outcome.UNCERTAIN: ["InternalError."],
}
ERROR_CODES = ErrorCodeTable("tencent", _EXACT, _PREFIXES, form=r"[A-Za-z][A-Za-z0-9.]{1,63}")


_STATUSES = {"SUCCESS": ReceiptStatus.DELIVERED, "FAIL": ReceiptStatus.UNDELIVERED}


class TencentReceipts:
    """Receipts, up to 100 in one push, unsigned, and pushed at most three times.

    An array of ``{sid, report_status, errmsg, ext?, …}``; ``ext`` is our job's id, if the vendor returns it.
    """

    acknowledgement: ClassVar[Mapping[str, object]] = {"result": 0, "errmsg": "OK"}

    def read_receipts(self, request: ReceiptRequest) -> list[Receipt]:
        """Read the receipts, as `ReceiptReader.read_receipts`."""
        return [_parse_receipt(row) for row in parse_rows(request.body)]


def _parse_receipt(row: Row) -> Receipt:
    status = _STATUSES.get(row.required_text("report_status"))
    if status is None:
        raise ReceiptMalformed("report_status is neither SUCCESS nor FAIL")
    return Receipt(
        status,
        code=row.optional_text("errmsg"),
        message_id=row.required_text("sid"),
        job_id=row.optional_text("ext"),
    )
