"""The tokens in which the gateway names a user to services of the operator, and the keys that sign them.

ES256 JWT (RFC 7519), ``aud`` is the one service that may read it, at most 60 seconds of life. Such a service shares no
secret with us: it verifies the token with the public keys at ``/.well-known/gateway-jwks.json``.
"""

import hashlib
import json
import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chassis.identity import LIFETIME_SECONDS
from gateway.auth.verifier import Identity

ISSUER = "xinjing-gateway"
# RFC 8725 3.11: no other token can be taken for one of these.
TYPE = "identity+jwt"
# How long a service may use a key set that it fetched. A new key is published for longer than that before it signs.
KEYS_MAX_AGE_SECONDS = 300
_PEM = re.compile(rb"-----BEGIN [A-Z ]+-----.+?-----END [A-Z ]+-----", re.DOTALL)


class IdentityKey:
    """One private key on P-256, and its public half as a JWK (RFC 7517) whose id is its thumbprint (RFC 7638).

    Raises:
        ValueError: the PEM is no unencrypted private key on P-256. The message never holds the text.
    """

    def __init__(self, pem: bytes) -> None:
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ValueError("holds a key that cannot be read") from error
        if not (isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1)):
            raise ValueError("holds a key that is not on P-256")  # noqa: TRY004 - the text is wrong, not its type.
        self.private_key = key
        jwk = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        point = {name: str(jwk[name]) for name in ("crv", "kty", "x", "y")}
        digest = hashlib.sha256(json.dumps(point, sort_keys=True, separators=(",", ":")).encode()).digest()
        self.kid = urlsafe_b64encode(digest).rstrip(b"=").decode()
        self.public_jwk = {**point, "use": "sig", "alg": "ES256", "kid": self.kid}


class IdentityKeys:
    """The keys in ``GATEWAY_IDENTITY_KEYS``: the first signs, and the public halves of all are published.

    So a key changes in stages, without a token that nobody can verify: append the next one; put it first, when every
    service has fetched the keys anew; remove the old one, when its last token has expired.

    Raises:
        ValueError: there are PEMs that are no private keys on P-256, one stands twice, or there is text without any.
    """

    def __init__(self, pems: str) -> None:
        self.keys = tuple(IdentityKey(pem) for pem in _PEM.findall(pems.encode()))
        if pems and not self.keys:
            raise ValueError("holds no private key in PEM form")
        if len({key.kid for key in self.keys}) < len(self.keys):
            raise ValueError("holds a key twice")

    def public_jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the key set (RFC 7517 5) that services verify with."""
        return {"keys": [key.public_jwk for key in self.keys]}


class IdentityTokens:
    """Writes identity tokens. There must be a key."""

    def __init__(self, keys: IdentityKeys, *, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._clock = clock

    def write_token(self, service: str, identity: Identity) -> str:
        """Write a token that names a user to one service, valid for 60 seconds."""
        now, key = int(self._clock()), self._keys.keys[0]
        claims = {
            "iss": ISSUER,
            "aud": service,
            "sub": str(identity.user_id),
            "sid": identity.session_id,
            "roles": sorted(identity.roles),
            "auth_time": identity.auth_time,
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
        }
        return jwt.encode(claims, key.private_key, algorithm="ES256", headers={"typ": TYPE, "kid": key.kid})


def new_key_pem() -> str:
    """Generate a private key, in the form that the setting takes."""
    key = ec.generate_private_key(ec.SECP256R1())
    form, encryption = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, encryption).decode()
