"""The provider aliyun (阿里云): SendSms of Dysmsapi, version 2017-05-25.

Source: help.aliyun.com/document_detail/2593177.html, by way of the SMS note, section 3.2.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlencode, urlsplit

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

_ALGORITHM = "ACS3-HMAC-SHA256"
_NO_BODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class AliyunKey:
    """An access key."""

    id: str
    secret: str


@dataclass(frozen=True)
class AliyunCall:
    """A POST without a body. ``nonce`` is new for each call; the vendor takes ``at`` within 15 minutes of its clock."""

    host: str
    action: str
    version: str
    parameters: Mapping[str, str]
    at: datetime
    nonce: str

    @property
    def query(self) -> str:
        """The parameters, sorted and escaped as RFC 3986 says."""
        return urlencode(sorted(self.parameters.items()), quote_via=quote, safe="")


def _signed_headers(call: AliyunCall) -> dict[str, str]:
    return {
        "host": call.host,
        "x-acs-action": call.action,
        "x-acs-content-sha256": _NO_BODY,
        "x-acs-date": call.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": call.nonce,
        "x-acs-version": call.version,
    }


def canonical_request(call: AliyunCall) -> str:
    """Write what is signed: method, path, query, headers in the order of their names, and the body's hash."""
    headers = _signed_headers(call)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    return f"POST\n/\n{call.query}\n{lines}\n{';'.join(headers)}\n{_NO_BODY}"


def headers_of(call: AliyunCall, key: AliyunKey) -> dict[str, str]:
    """Make all headers, signature included."""
    headers = _signed_headers(call)
    to_sign = f"{_ALGORITHM}\n{hashlib.sha256(canonical_request(call).encode()).hexdigest()}"
    signature = hmac.new(key.secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    credential = f"Credential={key.id},SignedHeaders={';'.join(headers)},Signature={signature}"
    return headers | {"Authorization": f"{_ALGORITHM} {credential}"}


class AliyunReceipts:
    """Reads an array of ``{biz_id, out_id, success, err_code, …}``; ``out_id`` is our job's id."""

    answer: Mapping[str, object] = {"code": 0, "msg": "成功"}

    def read(self, request: ReceiptRequest) -> list[Receipt]:
        """Read the receipts, as `ReceiptReader.read`."""
        return [_receipt(row) for row in read_rows(request.body)]


def _receipt(row: Row) -> Receipt:
    if not isinstance(row.get("success"), bool):
        raise ReceiptMalformed("success is not true or false")
    return Receipt(
        ReceiptStatus.DELIVERED if row["success"] else ReceiptStatus.UNDELIVERED,
        code=text_of(row, "err_code"),
        message_id=needed_text_of(row, "biz_id"),
        job_id=text_of(row, "out_id"),
    )


_EXACT = {
    Outcome.ACCEPTED: ["OK"],
    Outcome.REFUSED_RECIPIENT: [
        "isv.MOBILE_NUMBER_ILLEGAL",
        "isv.BLACK_KEY_CONTROL_LIMIT",
        "isv.CUSTOMER_REFUSED",
        "isv.DOMESTIC_NUMBER_NOT_SUPPORTED",
    ],
    Outcome.REFUSED_LIMIT: ["isv.BUSINESS_LIMIT_CONTROL"],  # By default 1 a minute, 5 an hour, 10 a day.
    Outcome.REFUSED_CONFIG: [
        "isv.DAY_LIMIT_CONTROL",  # Of the account, as is the next one.
        "isv.MONTH_LIMIT_CONTROL",
        "isv.AMOUNT_NOT_ENOUGH",
        "isv.OUT_OF_SERVICE",
        "isp.RAM_PERMISSION_DENY",
        "isv.SIGN_STATE_ILLEGAL",
        "isv.SMS_SIGNATURE_ILLEGAL",
        "isv.SMS_TEMPLATE_ILLEGAL",
        "isv.SMS_CONTENT_ILLEGAL",
        "isv.DENY_IP_RANGE",
        "SignatureDoesNotMatch",
        "InvalidTimeStamp.Expired",
        "InvalidAction",
        "InvalidVersion",
    ],
    # SignatureNonceUsed: these very bytes came before. We never send them twice, so whoever did may have texted.
    Outcome.UNCERTAIN: ["isp.SYSTEM_ERROR", "ServiceUnavailable", "InternalError", "SignatureNonceUsed"],
}
_PREFIXES = {
    Outcome.REFUSED_CONFIG: [
        "isv.ACCOUNT_",
        "isv.PRODUCT_UN",
        "isv.SMS_SIGNATURE_",
        "isv.TEMPLATE_",
        "isv.PARAM_",
        "isv.INVALID_",
    ],
    Outcome.REFUSED_BUSY: ["Throttling"],
}
CODES = CodeTable("aliyun", _EXACT, _PREFIXES)


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
