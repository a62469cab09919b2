import subprocess
import sys
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.auth.identity_tokens import IdentityKeys, IdentityTokens, new_key_pem
from gateway.auth.verifier import Identity

USER = Identity(user_id=7, session_id="s", roles=frozenset({"b", "a"}), auth_time=900, expires_at=1600)


def pem_of(curve: ec.EllipticCurve, password: bytes | None = None) -> str:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    return ec.generate_private_key(curve).private_bytes(serialization.Encoding.PEM, form, encryption).decode()


def test_the_first_key_signs_and_all_are_published(clock: Any) -> None:
    old, new = new_key_pem(), new_key_pem()
    before, after = (IdentityKeys(pems) for pems in (old + new, new + old))
    assert [key.kid for key in before.keys] == [key.kid for key in reversed(after.keys)]
    token = IdentityTokens(before, clock=clock).write_token("orders", USER)
    assert jwt.get_unverified_header(token)["kid"] == before.keys[0].kid
    # Verifiers with the keys of after the change still verify a token of before it.
    key = jwt.PyJWKSet.from_dict(after.public_jwks())[before.keys[0].kid]
    options = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(token, key, algorithms=["ES256"], audience="orders", options=options)
    assert (claims["sub"], claims["iat"], claims["exp"]) == ("7", 1000, 1060)
    with pytest.raises(jwt.InvalidAudienceError):
        jwt.decode(token, key, algorithms=["ES256"], audience="stock", options=options)


def test_a_key_id_is_the_thumbprint_of_rfc_7638() -> None:
    first, second = IdentityKeys(new_key_pem()), IdentityKeys(new_key_pem())
    assert len(first.keys[0].kid) == 43
    assert first.keys[0].kid != second.keys[0].kid


@pytest.mark.parametrize(
    ("pems", "problem"),
    [
        ("no key", "holds no private key in PEM form"),
        (pem_of(ec.SECP384R1()), "holds a key that is not on P-256"),
        (pem_of(ec.SECP256R1(), b"password"), "holds a key that cannot be read"),
        (f"{new_key_pem()}-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
         "holds a key that cannot be read"),
        (new_key_pem() * 2, "holds a key twice"),
    ],
    ids=["none", "curve", "encrypted", "garbled", "twice"],
)  # fmt: skip
def test_other_texts_are_no_keys(pems: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        IdentityKeys(pems)


def test_without_keys_nothing_is_published() -> None:
    assert IdentityKeys("").public_jwks() == {"keys": []}


def test_the_key_of_the_compose_stack_signs(tmp_path: Path, clock: Any) -> None:
    script = Path(__file__).parents[3] / "deploy" / "make-secrets"
    subprocess.run([sys.executable, script, tmp_path], check=True, capture_output=True, timeout=60)
    keys = IdentityKeys((tmp_path / "gateway" / "gateway_identity_keys").read_text())
    key = jwt.PyJWKSet.from_dict(keys.public_jwks()).keys[0]
    token = IdentityTokens(keys, clock=clock).write_token("orders", USER)
    options = {"verify_exp": False, "verify_iat": False}
    assert jwt.decode(token, key, algorithms=["ES256"], audience="orders", options=options)["sub"] == "7"
