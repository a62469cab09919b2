"""Keyed digests and encrypted texts: no code and no mobile stands in clear in Redis, in the queue or in a log."""

import base64
import hashlib
import hmac
import json
import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chassis.mobiles import Mobile

_NONCE_BYTES = 12  # NIST SP 800-38D, 8.2.1.


class CodeKeys:
    """Keys derived from one secret (HKDF, RFC 5869): mobile hash, code digest, request digest, seal."""

    def __init__(self, secret: str) -> None:
        self._mobile_key = _derive(secret, b"xinjing sms mobile hash")
        self._code_key = _derive(secret, b"xinjing sms code digest")
        self._request_key = _derive(secret, b"xinjing sms request digest")
        self._seal = AESGCM(_derive(secret, b"xinjing sms seal"))

    def mobile_hash(self, mobile: Mobile) -> str:
        """Compute the name of a mobile in keys and messages: 32 hex digits (128 bits) of an HMAC-SHA256."""
        return hmac.new(self._mobile_key, mobile.encode(), hashlib.sha256).hexdigest()[:32]

    def block_hash(self, mobile: Mobile) -> str:
        """Compute the name of a mobile's block: the 10,000 numbers that differ from it in the last four digits."""
        return hmac.new(self._mobile_key, b"block " + mobile[:-4].encode(), hashlib.sha256).hexdigest()[:32]

    def code_digest(self, code: str, *, mobile_hash: str, purpose: str, job_id: str) -> str:
        """Compute the HMAC-SHA256 of a code, bound to one mobile, one purpose and one job."""
        message = "\0".join((mobile_hash, purpose, job_id, code))
        return hmac.new(self._code_key, message.encode(), hashlib.sha256).hexdigest()

    def request_digest(self, *parts: str) -> str:
        """Compute the HMAC-SHA256 by which a repeated request is recognised; it does not reveal what was requested."""
        return hmac.new(self._request_key, json.dumps(parts).encode(), hashlib.sha256).hexdigest()

    def seal(self, text: str, *, context: str) -> str:
        """Encrypt a text with AES-256-GCM; ``context`` must be the same to open it."""
        nonce = os.urandom(_NONCE_BYTES)
        return base64.b64encode(nonce + self._seal.encrypt(nonce, text.encode(), context.encode())).decode()

    def open(self, sealed: str, *, context: str) -> str:
        """Decrypt what `seal` wrote.

        Raises:
            cryptography.exceptions.InvalidTag: another key, another context, or changed bytes.
        """
        data = base64.b64decode(sealed)
        return self._seal.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], context.encode()).decode()


def _derive(secret: str, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret.encode())
