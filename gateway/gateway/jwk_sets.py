"""Reads a JWK set (RFC 7517): ES256 verification keys, and nothing that could be taken for one."""

import json
from typing import Any  # The document is another service's JSON, of any shape until it is checked.

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey


def read_keys(document: Any) -> dict[str, EllipticCurvePublicKey]:
    """Read a JWK set; only P-256 keys for ES256 signatures are accepted, each with an id of its own.

    Raises:
        ValueError: the document or one of its keys is not acceptable.
    """
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries:
        raise ValueError("no keys in the JWK set")
    keys: dict[str, EllipticCurvePublicKey] = {}
    for entry in entries:
        key_id = _key_id(entry)
        if key_id in keys:
            raise ValueError("two keys with one id in the JWK set")
        keys[key_id] = _public_key(entry)
    return keys


def _key_id(entry: Any) -> str:
    expected = {"kty": "EC", "crv": "P-256"}
    optional = {"alg": "ES256", "use": "sig", "key_ops": ["verify"]}
    if not isinstance(entry, dict) or any(entry.get(name) != value for name, value in expected.items()):
        raise ValueError("a key of another kind in the JWK set")
    if any(name in entry and entry[name] != value for name, value in optional.items()) or "d" in entry:
        raise ValueError("a key for another use in the JWK set")
    if not isinstance(entry.get("kid"), str):
        raise ValueError("a key without an id in the JWK set")  # noqa: TRY004 - it is the document that is wrong.
    return str(entry["kid"])


def _public_key(entry: dict[str, Any]) -> EllipticCurvePublicKey:
    try:
        key = jwt.algorithms.ECAlgorithm.from_jwk(json.dumps(entry))
    except jwt.InvalidKeyError as error:
        raise ValueError("a malformed key in the JWK set") from error
    if not isinstance(key, EllipticCurvePublicKey):
        raise ValueError("a private key in the JWK set")  # noqa: TRY004
    return key
