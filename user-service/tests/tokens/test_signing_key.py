import base64
import hashlib
import stat
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
import svcs
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from user_service.app import create_app
from user_service.tokens.key_ring import KeyFile
from user_service.tokens.signing_key import SigningKey, new_key

pytestmark = pytest.mark.any_database  # Keys are a file.


@pytest.fixture
def jwks(visitor):
    return lambda: visitor.call("GET", "/.well-known/jwks.json")


def test_a_token_verifies_against_the_published_key(register, jwks, clock):
    token = register().json["access_token"]
    header = jwt.get_unverified_header(token)
    (published,) = jwks().json["keys"]
    claims = jwt.decode(token, jwt.PyJWK(published), algorithms=["ES256"], audience="xinjing", issuer="xinjing")
    now = int(clock.now.timestamp())
    assert header == {"alg": "ES256", "kid": published["kid"], "typ": "at+jwt"}
    assert len(claims.pop("sid")) == len(claims.pop("jti")) == 32
    assert claims == {
        "iss": "xinjing",
        "aud": "xinjing",
        "sub": "1",
        "iat": now,
        "exp": now + 600,
        "auth_time": now,
        "roles": [],
    }


def test_the_key_set_is_public_and_cacheable(jwks, visitor):
    answer = jwks()
    assert set(answer.json["keys"][0]) == {"kty", "crv", "x", "y", "use", "alg", "kid"}
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.headers["CDN-Cache-Control"] == "max-age=5, stale-if-error=600"
    headers = {"If-None-Match": answer.headers["ETag"]}
    assert visitor.call("GET", "/.well-known/jwks.json", **headers).status_code == 304


def test_the_key_id_is_the_thumbprint_of_rfc_7638():
    key = new_key()
    jwk = key.public_jwk()
    text = f'{{"crv":"P-256","kty":"EC","x":"{jwk["x"]}","y":"{jwk["y"]}"}}'
    digest = hashlib.sha256(text.encode()).digest()
    assert key.kid == jwk["kid"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")


def test_the_file_is_made_once_and_for_its_owner_alone(tmp_path, clock):
    path = tmp_path / "keys" / "signing.pem"
    first = KeyFile(path, clock=clock).ring()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KeyFile(path, clock=clock).ring().active.kid == first.active.kid
    assert [entry.name for entry in path.parent.iterdir()] == ["signing.pem"]


def test_workers_that_start_together_share_one_key(tmp_path, clock):
    path = tmp_path / "signing.pem"
    with ThreadPoolExecutor(8) as pool:
        files = list(pool.map(lambda _: KeyFile(path, clock=clock), range(16)))
    assert len({file.ring().active.kid for file in files}) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["signing.pem"]


def test_keys_given_by_settings_are_used_and_the_first_signs(settings, visitor, register):
    keys = [new_key(), new_key()]
    pems = SecretStr("".join(key.pem() for key in keys))
    app = create_app(settings.model_copy(update={"signing_key": pems}))
    published = visitor.through(app).call("GET", "/.well-known/jwks.json").json
    answer = visitor.through(app).call("POST", "/api/v1/tokens/refresh", {"refresh_token": register_token(register)})
    svcs.flask.close_registry(app)
    assert published == {"keys": [key.public_jwk() for key in keys]}
    assert jwt.get_unverified_header(answer.json["access_token"])["kid"] == keys[0].kid


def register_token(register):
    return register().json["refresh_token"]


@pytest.mark.parametrize("key", [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())])
def test_other_kinds_of_key_are_refused(key):
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ValueError, match="P-256"):
        SigningKey(pem)
