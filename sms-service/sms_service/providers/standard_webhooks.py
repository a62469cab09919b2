"""Signs and checks messages as Standard Webhooks says, version 1.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta

_PREFIX = "whsec_"
_LEAST_KEY_BYTES = 24  # The specification's; it allows 64 at the most.
_TOLERANCE = timedelta(minutes=5)


class SignatureWrong(Exception):
    """A message is not signed with our key, or not at this time."""


def decode_key(text: str) -> bytes:
    """Decode a key as the specification writes it: base64, with ``whsec_`` in front or not.

    Raises:
        ValueError: it is something else, or shorter than 24 bytes.
    """
    key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    if len(key) < _LEAST_KEY_BYTES:
        raise ValueError(f"needs at least {_LEAST_KEY_BYTES} bytes in base64")
    return key


def sign(key: bytes, *, message_id: str, timestamp: str, body: bytes) -> str:
    """Compute one signature, ``v1,…``."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


def sign_headers(key: bytes, *, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Make the three headers of a message."""
    timestamp = str(int(at.timestamp()))
    signature = sign(key, message_id=message_id, timestamp=timestamp, body=body)
    return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": signature}


def check_signature(key: bytes, headers: Mapping[str, str], body: bytes, *, now: datetime) -> None:
    """Check a message; ``headers`` by lower-case name. Of several signatures one must be right.

    Raises:
        SignatureWrong: no signature is ours, or the message is more than 5 minutes old or ahead.
    """
    timestamp = headers.get("webhook-timestamp", "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise SignatureWrong
    if abs(int(timestamp) - now.timestamp()) > _TOLERANCE.total_seconds():
        raise SignatureWrong
    expected = sign(key, message_id=headers.get("webhook-id", ""), timestamp=timestamp, body=body).encode()
    given = headers.get("webhook-signature", "").encode().split()
    if not any(hmac.compare_digest(signature, expected) for signature in given):
        raise SignatureWrong
