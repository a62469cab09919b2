"""The provider tencent (腾讯云): SendSms, version 2021-01-11.

Source: cloud.tencent.com/document/api/382/55981, by way of the SMS note, section 3.3.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any  # A member of foreign JSON.
from urllib.parse import urlsplit

from sms_service.codes.purposes import Notice, Purpose
from sms_service.codes.templates import Templates
from sms_service.providers.http_client import Unreadable, VendorHttp, VendorReply, as_message_id
from sms_service.providers.provider import CodeTable, Outcome, OutgoingSms, ProviderAnswer, TemplateIds
from sms_service.providers.receipts import (
    Receipt,
    ReceiptMalformed,
    ReceiptRequest,
    ReceiptStatus,
    Row,
    needed_text_of,
    read_rows,
    text_of,
)

_ALGORITHM = "TC3-HMAC-SHA256"
_SIGNED_HEADERS = "content-type;host;x-tc-action"
CONTENT_TYPE = "application/json; charset=utf-8"


@dataclass(frozen=True)
class TencentKey:
    """An API key."""

    id: str
    secret: str


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


_STATUSES = {"SUCCESS": ReceiptStatus.DELIVERED, "FAIL": ReceiptStatus.UNDELIVERED}


class TencentReceipts:
    """Reads an array of ``{sid, report_status, errmsg, ext?, …}``; ``ext`` is our job's id, if the vendor echoes it."""

    answer: Mapping[str, object] = {"result": 0, "errmsg": "OK"}

    def read(self, request: ReceiptRequest) -> list[Receipt]:
        """Read the receipts, as `ReceiptReader.read`."""
        return [_receipt(row) for row in read_rows(request.body)]


def _receipt(row: Row) -> Receipt:
    status = _STATUSES.get(needed_text_of(row, "report_status"))
    if status is None:
        raise ReceiptMalformed("report_status is neither SUCCESS nor FAIL")
    return Receipt(
        status, code=text_of(row, "errmsg"), message_id=needed_text_of(row, "sid"), job_id=text_of(row, "ext")
    )


_EXACT = {
    Outcome.ACCEPTED: ["Ok"],
    Outcome.REFUSED_RECIPIENT: [
        "FailedOperation.PhoneNumberInBlacklist",
        "FailedOperation.PhoneNumberOnBlacklist",
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
    ],
}
_PREFIXES = {
    # UnauthorizedOperation: arrears, address list, app disabled.
    Outcome.REFUSED_CONFIG: ["AuthFailure", "UnauthorizedOperation", "InvalidParameter", "MissingParameter"],
    Outcome.REFUSED_BUSY: ["RequestLimitExceeded"],  # The API takes 3,000 calls a second unless agreed otherwise.
}
CODES = CodeTable("tencent", _EXACT, _PREFIXES)


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
