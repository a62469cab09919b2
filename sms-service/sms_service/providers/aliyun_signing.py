"""How aliyun knows us: signature V3, ``ACS3-HMAC-SHA256``.

Source: help.aliyun.com/document_detail/2593177.html, by way of the SMS note, section 3.2.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

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
