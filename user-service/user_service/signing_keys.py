"""The ES256 key that signs access tokens: given as PEM, or made at the first start."""

import base64
import hashlib
import json
import os
import uuid
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec


class SigningKey:
    """One private key on P-256 and the key id that verifiers find it by.

    Raises:
        ValueError: the PEM is no unencrypted private key on P-256.
    """

    def __init__(self, pem: bytes) -> None:
        key = serialization.load_pem_private_key(pem, password=None)
        if not (isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp256r1"):
            raise ValueError("the signing key must be an elliptic-curve key on P-256")
        self.private_key = key
        numbers = key.public_key().public_numbers()
        self._point = {"crv": "P-256", "kty": "EC", "x": _coordinate(numbers.x), "y": _coordinate(numbers.y)}
        self.kid = _thumbprint(self._point)

    def public_jwk(self) -> dict[str, str]:
        """Return the public half as a JWK (RFC 7517)."""
        return {**self._point, "use": "sig", "alg": "ES256", "kid": self.kid}


def _coordinate(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()


def _thumbprint(point: dict[str, str]) -> str:
    """Compute the JWK thumbprint (RFC 7638): SHA-256 of the required members, sorted, without spaces."""
    text = json.dumps(point, sort_keys=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def new_pem() -> bytes:
    """Make a fresh private key on P-256."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load_or_make(path: Path) -> SigningKey:
    """Read the key of a file that only we can read; make the file if there is none.

    Several workers may start at once: each writes a whole file of its own and links it to the name, which only the
    first can do, and all read the winner's.
    """
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(new_pem())
                file.flush()
                os.fsync(file.fileno())
            _link_if_first(draft, path)
        finally:
            draft.unlink()
    return SigningKey(path.read_bytes())


def _link_if_first(draft: Path, path: Path) -> None:
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return
