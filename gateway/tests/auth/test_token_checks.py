"""T30, T31, T32, T34 and T41 at the running gateway: which tokens open nothing, and what clients cannot say."""

import base64
import json
import re
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from redis import Redis

from chassis.errors import InternalTokenRefused
from chassis.identity import Caller, InternalTokens

ME = "/api/v1/users/me"
NOW = int(time.time())
HEADER = {"alg": "ES256", "kid": "test-key-1", "typ": "at+jwt"}
CLAIMS = {
    **{"iss": "xinjing", "aud": "xinjing", "sub": "7", "sid": "s", "jti": "j"},
    **{"iat": NOW, "exp": NOW + 3000, "auth_time": NOW, "roles": []},
}
# The order of the group of P-256 (FIPS 186-4 D.1.2.3).
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def without_the_clock(changed: dict[str, Any]) -> str:
    """Name changed claims by their distance from now, because an id must be the same in every process of a run."""
    return re.sub(r"\b\d{10}\b", lambda moment: f"now{int(moment[0]) - NOW:+}", str(changed))[:40]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def refusal(gateway: Any, services: Any) -> Callable[[str], tuple[int, str]]:
    """Present a token, and return the status and the code of the answer; no service may have heard of it."""

    def present(token: str) -> tuple[int, str]:
        answer = gateway.ask("GET", ME, headers=bearer(token))
        assert services.user.count("GET", ME) == (answer.status == 200)
        return answer.status, answer.json.get("code", "")

    return present


REFUSED = (401, "unauthenticated")


def test_the_token_that_the_others_are_made_of_is_good(refusal: Any, sign_text: Any) -> None:
    assert refusal(sign_text(json.dumps(HEADER), json.dumps(CLAIMS)))[0] == 200


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", ""])
def test_T30_an_unsigned_token_is_refused(refusal: Any, alg: str) -> None:
    signed = f"{encoded(json.dumps({**HEADER, 'alg': alg}).encode())}.{encoded(json.dumps(CLAIMS).encode())}"
    assert refusal(f"{signed}.") == REFUSED
    assert refusal(f"{signed}.{encoded(bytes(64))}") == REFUSED


@pytest.mark.parametrize("form", ["pem", "der", "jwk", "kid"])
@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_T30_the_public_key_is_no_shared_secret(
    refusal: Any, signing_key: ec.EllipticCurvePrivateKey, jwks: dict[str, Any], alg: str, form: str
) -> None:
    public, info = signing_key.public_key(), serialization.PublicFormat.SubjectPublicKeyInfo
    secret = {
        "pem": public.public_bytes(serialization.Encoding.PEM, info),
        "der": public.public_bytes(serialization.Encoding.DER, info),
        "jwk": json.dumps(jwks["keys"][0]).encode(),
        "kid": b"test-key-1",
    }[form]
    signed = f"{encoded(json.dumps({**HEADER, 'alg': alg}).encode())}.{encoded(json.dumps(CLAIMS).encode())}"
    mac = jwt.algorithms.get_default_algorithms()[alg]
    assert isinstance(mac, jwt.algorithms.HMACAlgorithm)
    assert refusal(f"{signed}.{encoded(mac.sign(signed.encode(), secret))}") == REFUSED


@pytest.mark.parametrize(
    "member",
    [
        {"jku": "https://evil.example/jwks.json"},
        {"jwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}},
        {"x5u": "https://evil.example/chain.pem"},
        {"x5c": ["MIIB"]},
        {"x5t": "AA"},
        {"crit": ["b64"], "b64": False},
        {"crit": []},
        {"b64": True},
        {"cty": "JWT"},
        {"zip": "DEF"},
    ],
    ids=str,
)
def test_T30_a_header_that_says_more_is_refused(refusal: Any, sign_text: Any, member: dict[str, Any]) -> None:
    assert refusal(sign_text(json.dumps({**HEADER, **member}), json.dumps(CLAIMS))) == REFUSED


@pytest.mark.parametrize(
    "typ", ["JWT", "jwt", "AT+JWT", "at+JWT", "application/at+jwt", "rt+jwt", "internal+jwt", "id+jwt", "", None, 1]
)
def test_T31_a_token_of_another_type_is_refused(refusal: Any, sign_text: Any, typ: Any) -> None:
    header = {name: value for name, value in {**HEADER, "typ": typ}.items() if value is not None}
    assert refusal(sign_text(json.dumps(header), json.dumps(CLAIMS))) == REFUSED


def test_T31_refresh_and_service_tokens_are_no_access_tokens(refusal: Any, internal_token_key: str) -> None:
    refresh_token = f"{'0' * 32}.0.{'A' * 43}"
    internal = InternalTokens(internal_token_key).write_token(
        Caller("gateway", 7, "s", auth_time=NOW), audience="xinjing"
    )
    assert refusal(refresh_token) == refusal(internal) == REFUSED


def test_T31_an_access_token_is_no_service_token(sign: Callable[..., str], internal_token_key: str) -> None:
    tokens = InternalTokens(internal_token_key)
    with pytest.raises(InternalTokenRefused):
        tokens.read_token(sign(aud="user-service"), audience="user-service")
    now = int(time.time())
    claims = {"iss": "gateway", "aud": "user-service", "sub": "gateway", "iat": now, "exp": now + 60}
    with pytest.raises(InternalTokenRefused):
        tokens.read_token(jwt.encode(claims, internal_token_key, algorithm="HS256"), audience="user-service")


@pytest.mark.parametrize("name", ["iat", "nbf", "auth_time"])
@pytest.mark.parametrize(("ahead_seconds", "status"), [(50, 200), (70, 401)])
def test_T32_the_clocks_may_be_a_minute_apart(
    refusal: Any, sign_text: Any, name: str, ahead_seconds: int, status: int
) -> None:
    claims = {**CLAIMS, name: int(time.time()) + ahead_seconds}
    assert refusal(sign_text(json.dumps(HEADER), json.dumps(claims)))[0] == status


def test_T32_an_expired_token_has_no_leeway(refusal: Any, sign_text: Any) -> None:
    claims = {**CLAIMS, "exp": int(time.time())}
    assert refusal(sign_text(json.dumps(HEADER), json.dumps(claims))) == REFUSED


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("part", ["header", "payload"])
def test_T32_a_signed_token_in_another_coding_than_utf_8_is_refused(
    refusal: Any, sign_bytes: Any, coding: str, part: str
) -> None:
    """RFC 7515 4 and RFC 7519 7.2: both are UTF-8; a byte order mark is not allowed (RFC 8259 8.1)."""
    texts = {"header": json.dumps(HEADER).encode(), "payload": json.dumps(CLAIMS).encode()}
    texts[part] = texts[part].decode().encode(coding)
    assert refusal(sign_bytes(**texts)) == REFUSED


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "another"},
        {"iss": ["xinjing"]},
        {"aud": "another"},
        {"aud": ["xinjing"]},
        {"exp": NOW - 6},
        {"exp": str(NOW + 3000)},
        {"exp": NOW + 3000.5},
        {"exp": True},
        {"exp": 10**400},
        {"exp": NOW + 10**9},
        {"nbf": NOW + 3000},
        {"iat": NOW + 3000},
        {"auth_time": NOW + 3000},
        *({name: None} for name in CLAIMS),
    ],
    ids=without_the_clock,
)
def test_T32_a_claim_that_is_wrong_or_missing_is_refused(refusal: Any, sign_text: Any, changed: Any) -> None:
    claims = {name: value for name, value in {**CLAIMS, **changed}.items() if value is not None}
    assert refusal(sign_text(json.dumps(HEADER), json.dumps(claims))) == REFUSED


def test_T32_a_member_that_stands_twice_is_refused(refusal: Any, sign_text: Any) -> None:
    claims, header = json.dumps(CLAIMS), json.dumps(HEADER)
    assert refusal(sign_text(header, claims[:-1] + ', "sub": "1"}')) == REFUSED
    assert refusal(sign_text(header, '{"exp": 1, ' + claims[1:])) == REFUSED
    assert refusal(sign_text('{"alg": "none", ' + header[1:], claims)) == REFUSED


def test_T32_other_spellings_of_a_good_token_are_refused(refusal: Any, sign_text: Any) -> None:
    header, payload, signature = sign_text(json.dumps(HEADER), json.dumps(CLAIMS)).split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # The last character of 64 bytes holds four bits that mean nothing; another one decodes to the same signature.
    twin = signature[:-1] + alphabet[alphabet.index(signature[-1]) ^ 1]
    spellings = [
        f"{header}.{payload}.{signature}==",
        f"{header}={payload}.{signature}",
        f"{header}.{payload}.{twin}",
        f"{header}.{payload}.{signature.replace('-', '+').replace('_', '/')}+",
        f"{header}.{payload}.{signature}.{signature}",
        f"{header}.{payload}.{encoded(bytes(64))}",
    ]
    assert [refusal(spelling) for spelling in spellings] == [REFUSED] * len(spellings)


def test_T34_the_ecdsa_twin_of_a_revoked_token_is_refused(
    gateway: Any, redis: Redis, sign_text: Any, sign: Callable[..., str]
) -> None:
    token = sign_text(json.dumps(HEADER), json.dumps({**CLAIMS, "sid": "a-session-with-a-twin"}))
    signed, _, signature = token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    s = ORDER - int.from_bytes(raw[32:], "big")
    twin = f"{signed}.{encoded(raw[:32] + s.to_bytes(32, 'big'))}"
    assert [gateway.ask("GET", ME, headers=bearer(text)).status for text in (token, twin)] == [200, 200]
    redis.xadd("user:revocations", {"kind": "session", "id": "a-session-with-a-twin", "until": int(time.time()) + 900})
    end = time.monotonic() + 5
    while gateway.ask("GET", ME, headers=bearer(token)).status == 200 and time.monotonic() < end:
        time.sleep(0.05)
    assert [gateway.ask("GET", ME, headers=bearer(text)).status for text in (token, twin)] == [401, 401]
    assert gateway.ask("GET", ME, headers=bearer(sign(sid="another"))).status == 200


FORGED = {
    "X-User-Id": "1",
    "X-User-Roles": "admin",
    "X-Internal-Token": "forged",
    "X-Internal-User": "1",
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Real-Ip": "6.6.6.6",
    "Forwarded": "for=6.6.6.6;host=evil.example",
}


def test_T41_no_identity_header_of_a_client_reaches_a_service(
    gateway: Any, services: Any, sign: Callable[..., str], internal_token_key: str
) -> None:
    assert gateway.ask("GET", ME, headers=FORGED).status == 401
    assert gateway.ask("GET", ME, headers={**FORGED, **bearer(sign(sub="41"))}).status == 200
    seen = services.user.last
    assert not [text for _, text in seen.headers if text in ("forged", "6.6.6.6", "evil.example", "admin")]
    assert not seen.names() & {"x-user-id", "x-user-roles", "x-internal-user", "x-real-ip", "forwarded"}
    (token,) = seen.values("X-Internal-Token")
    assert InternalTokens(internal_token_key).read_token(token, audience="user-service").user_id == 41
    assert seen.values("X-Forwarded-For") == ["127.0.0.1"]


def test_T41_limits_count_the_real_address_whatever_a_client_says(
    start_gateway: Callable[..., Any], services: Any, redis: Redis
) -> None:
    gateway = start_gateway(sessions_per_ip_per_minute="3")
    asked = [
        gateway.send_json(
            "POST", "/api/v1/sessions", {}, X_Forwarded_For=f"6.6.6.{number}", X_Real_Ip=f"7.7.7.{number}"
        )
        for number in range(5)
    ]
    assert [answer.status for answer in asked[3:]] == [429, 429]


def test_T41_a_token_for_one_service_opens_no_other(internal_token_key: str) -> None:
    tokens = InternalTokens(internal_token_key)
    token = tokens.write_token(Caller("gateway"), audience="news-service")
    with pytest.raises(InternalTokenRefused):
        tokens.read_token(token, audience="user-service")
    late = InternalTokens(internal_token_key, clock=lambda: time.time() + 331)
    with pytest.raises(InternalTokenRefused):
        late.read_token(token, audience="news-service")
