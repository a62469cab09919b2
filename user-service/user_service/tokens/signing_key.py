"""One ES256 key that signs access tokens, and its public half."""

import base64
import hashlib
import json
import re

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

_PEM = re.compile(rb"-----BEGIN [A-Z ]+-----.+?-----END [A-Z ]+-----", re.DOTALL)


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

    def pem(self) -> str:
        """Write the private key down; for the file of keys alone."""
        return _pem_of(self.private_key).decode()


def _coordinate(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()


def _thumbprint(point: dict[str, str]) -> str:
    """Compute the JWK thumbprint (RFC 7638): SHA-256 of the required members, sorted, without spaces."""
    text = json.dumps(point, sort_keys=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def _pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def new_key() -> SigningKey:
    """Make a fresh key."""
    return SigningKey(_pem_of(ec.generate_private_key(ec.SECP256R1())))


def read_pems(text: bytes) -> list[SigningKey]:
    """Read one or more private keys that stand behind each other.

    Raises:
        ValueError: there is none, or one is not acceptable; the text is never repeated.
    """
    found = [SigningKey(pem) for pem in _PEM.findall(text)]
    if not found:
        raise ValueError("there is no private key in PEM form")
    return found
