"""How tencent knows us: ``TC3-HMAC-SHA256``.

Source: cloud.tencent.com/document/api/382/52072, by way of the SMS note, section 3.3.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime

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
