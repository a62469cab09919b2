"""The provider aliyun (阿里云): SendSms of Dysmsapi; and what the vendor's other products share with it.

Sources: https://help.aliyun.com/document_detail/2593177.html (request, signature and error codes) and
https://help.aliyun.com/document_detail/101867.html (receipts).
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import ClassVar
from urllib.parse import quote, urlencode, urlsplit

from sms_service.codes.purposes import Notice, Purpose
from sms_service.codes.templates import Templates
from sms_service.providers.http_client import Unreadable, VendorHttp, VendorReply, classify_reply, parse_message_id
from sms_service.providers.provider import ErrorCodeTable, Outcome, OutgoingSms, ProviderAnswer, TemplateIds
from sms_service.providers.receipts import Receipt, ReceiptMalformed, ReceiptRequest, ReceiptStatus, Row, parse_rows

_ALGORITHM = "ACS3-HMAC-SHA256"
_VERSION = "2017-05-25"  # Of Dysmsapi and of Dypnsapi.
_NO_BODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class AliyunKey:
    """An access key."""

    id: str
    secret: str = field(repr=False)


# Signature V3.


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

    @property
    def headers(self) -> dict[str, str]:
        """The headers that are signed, in the order of their names."""
        return {
            "host": self.host,
            "x-acs-action": self.action,
            "x-acs-content-sha256": _NO_BODY,
            "x-acs-date": self.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "x-acs-signature-nonce": self.nonce,
            "x-acs-version": self.version,
        }


def canonical_request(call: AliyunCall) -> str:
    """Write what is signed: method, path, query, headers in the order of their names, and the body's hash."""
    lines = "".join(f"{name}:{value}\n" for name, value in call.headers.items())
    return f"POST\n/\n{call.query}\n{lines}\n{';'.join(call.headers)}\n{_NO_BODY}"


def signed_headers(call: AliyunCall, key: AliyunKey) -> dict[str, str]:
    """Make all headers, signature included."""
    headers = call.headers
    to_sign = f"{_ALGORITHM}\n{hashlib.sha256(canonical_request(call).encode()).hexdigest()}"
    signature = hmac.new(key.secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    credential = f"Credential={key.id},SignedHeaders={';'.join(headers)},Signature={signature}"
    return headers | {"Authorization": f"{_ALGORITHM} {credential}"}


class AliyunApi:
    """The API of one product of the vendor: signs calls, posts them and reads the answers. Threads share it."""

    def __init__(
        self,
        address: str,
        key: AliyunKey,
        http: VendorHttp,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        nonce: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self._address = address.rstrip("/")
        self._key = key
        self._http = http
        self._clock = clock
        self._nonce = nonce

    def call(self, action: str, parameters: Mapping[str, str], codes: ErrorCodeTable) -> ProviderAnswer:
        """Call an operation once; ``codes`` say what its answer means."""
        host = urlsplit(self._address).netloc
        call = AliyunCall(host, action, _VERSION, parameters, at=self._clock(), nonce=self._nonce())
        headers = signed_headers(call, self._key)
        return self._http.post(
            f"{self._address}/?{call.query}", body=b"", headers=headers, parse=partial(_parse_answer, codes)
        )

    def close_connections(self) -> None:
        """Close the connections."""
        self._http.close_connections()


class Aliyun:
    """Sends by SendSms. The template's variables must be named ``code`` and, if it tells the minutes, ``minutes``."""

    name = "aliyun"

    def __init__(self, api: AliyunApi, *, sign_name: str, templates: Templates) -> None:
        self._api = api
        self._sign_name = sign_name
        self._template_ids = TemplateIds(templates, self.name)

    def send_text(self, sms: OutgoingSms) -> ProviderAnswer:
        """Hand a text over, as `Provider.send_text`."""
        return self._api.call("SendSms", self._build_parameters(sms), ERROR_CODES)

    def _build_parameters(self, sms: OutgoingSms) -> dict[str, str]:
        parameters = {
            "OutId": sms.job_id,  # Comes back in the receipt; the vendor does not recognise repetitions by it.
            "PhoneNumbers": sms.mobile.removeprefix("+86").removeprefix("+"),  # Abroad: country code and number.
            "SignName": self._sign_name,
            "TemplateCode": self._template_ids.id_for(sms),
        }
        if sms.parameters:
            parameters["TemplateParam"] = json.dumps(sms.parameters, separators=(",", ":"))
        return parameters

    def supports(self, purpose: Purpose | Notice) -> bool:
        """Say whether there is a template of the vendor for it, as `Provider.supports`."""
        return self._template_ids.has_template(purpose)

    def repeats_safely(self, *, first_sent_at: datetime, at: datetime) -> bool:  # noqa: ARG002 - Provider's
        """Say no: the vendor takes no idempotency key."""
        return False

    def close_connections(self) -> None:
        """Close the connections."""
        self._api.close_connections()


def _parse_answer(codes: ErrorCodeTable, reply: VendorReply) -> ProviderAnswer:
    fields = reply.json_object()
    code, model = fields.get("Code"), fields.get("Model")
    if not isinstance(code, str):
        raise Unreadable
    holder = model if isinstance(model, dict) else fields  # Dypnsapi puts its answers into Model, Dysmsapi does not.
    return classify_reply(codes, reply, code, message_id=parse_message_id(holder.get("BizId")))


_CODE = r"[A-Za-z][A-Za-z0-9_.-]{1,63}"
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
        "InvalidAccessKeyId",
        "InvalidAction",
        "InvalidVersion",
        "Forbidden",
    ],
    # SignatureNonceUsed: the vendor has had this nonce before. We never send one twice, so the earlier request, from
    # wherever it came, may have texted.
    Outcome.UNCERTAIN: ["isp.SYSTEM_ERROR", "ServiceUnavailable", "InternalError", "SignatureNonceUsed"],
}
_PREFIXES = {
    Outcome.REFUSED_CONFIG: [
        "isv.SMS_TEST_",  # A test signature or template, which texts the console's test numbers alone.
        "isv.SMS_SIGN_",
        "isv.SIGN_",
        "isv.ACCOUNT_",
        "isv.PRODUCT_UN",
        "isv.SMS_SIGNATURE_",
        "isv.TEMPLATE_",
        "isv.PARAM_",
        "isv.INVALID_",
        "InvalidAccessKeyId.",  # NotFound, Inactive.
        "InvalidSecurityToken",
        "InvalidTimeStamp",
        "IncompleteSignature",
        "MissingAccessKeyId",
        "Forbidden.",  # The key's user may not call the operation.
        "NoPermission",
        "isv.RAM_",
    ],
    Outcome.REFUSED_BUSY: ["Throttling"],
    Outcome.UNCERTAIN: ["isp.", "InternalError", "ServiceUnavailable"],
}


def make_error_codes(provider: str, own: Mapping[Outcome, Iterable[str]] | None = None) -> ErrorCodeTable:
    """Make the table of one product: the codes of the gateway, the account and SMS, and the product's ``own``."""
    own = own or {}
    exact = {outcome: [*_EXACT.get(outcome, ()), *own.get(outcome, ())] for outcome in _EXACT.keys() | own.keys()}
    return ErrorCodeTable(provider, exact, _PREFIXES, form=_CODE)


ERROR_CODES = make_error_codes(Aliyun.name)


class AliyunReceipts:
    """Receipts (SmsReport, and DypnsSmsVerifyReport of the same form), unsigned, repeated after 1, 5 and 10 minutes.

    An array of ``{biz_id, out_id, success, err_code, …}``; ``out_id`` is our job's id.
    """

    acknowledgement: ClassVar[Mapping[str, object]] = {"code": 0, "msg": "成功"}

    def read_receipts(self, request: ReceiptRequest) -> list[Receipt]:
        """Read the receipts, as `ReceiptReader.read_receipts`."""
        return [_parse_receipt(row) for row in parse_rows(request.body)]


def _parse_receipt(row: Row) -> Receipt:
    if not isinstance(row.fields.get("success"), bool):
        raise ReceiptMalformed("success is not true or false")
    return Receipt(
        ReceiptStatus.DELIVERED if row.fields["success"] else ReceiptStatus.UNDELIVERED,
        code=row.optional_text("err_code"),
        message_id=row.required_text("biz_id"),
        job_id=row.optional_text("out_id"),
    )
