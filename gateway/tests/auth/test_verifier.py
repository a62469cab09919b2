"""The strict verifier against what PyJWT alone lets pass, and the cache of verified tokens."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY

from chassis.errors import DependencyUnavailable, Unauthenticated, UpstreamUnavailable
from gateway.auth.public_keys import PublicKeys, read_jwk_set
from gateway.auth.verifier import TokenVerifier

NOW = int(time.time())


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


HEADER = '{"alg":"ES256","kid":"test-key-1","typ":"at+jwt"}'


def claims(**changed: Any) -> dict[str, Any]:
    whole = {"iss": "xinjing", "aud": "xinjing", "sub": "7", "sid": "s", "jti": "j", "iat": NOW, "exp": NOW + 600}
    return {**whole, "auth_time": NOW, "roles": [], **changed}


def test_a_good_token_names_its_user(verifier: TokenVerifier, sign: Callable[..., str]) -> None:
    identity = verifier.verify_token(
        sign(sub="41", sid="abc", roles=["admin"], iat=NOW, exp=NOW + 600, auth_time=NOW - 5)
    )
    assert (identity.user_id, identity.session_id, identity.roles) == (41, "abc", {"admin"})
    assert (identity.expires_at, identity.auth_time) == (NOW + 600, NOW - 5)


@pytest.mark.parametrize(
    "changed",
    [
        {"iat": True},
        pytest.param({"nbf": str(NOW)}, id="nbf-is-a-text"),
        pytest.param({"exp": NOW + 3601}, id="exp-in-more-than-an-hour"),
        {"aud": ["xinjing", "another"]},
        {"sub": 7},
        {"sub": "0"},
        {"sub": "7\n"},
        {"sub": "7 or 8"},
        {"sid": "a\r\nb"},
        {"sid": ""},
        {"jti": 1},
        {"jti": "a\nb"},
        {"auth_time": "yesterday"},
        {"roles": "admin"},
        {"roles": ["a\r\nX-Evil: 1"]},
        {"roles": [1]},
        {"roles": {"admin": True}},
    ],
    ids=str,
)
def test_w59_wrong_claims_are_refused(verifier: TokenVerifier, sign_text: Callable[..., str], changed: Any) -> None:
    """Those that T32 does not try at the running gateway."""
    payload = {name: value for name, value in claims(**changed).items() if value is not None}
    with pytest.raises(Unauthenticated):
        verifier.verify_token(sign_text(HEADER, json.dumps(payload)))


@pytest.mark.parametrize(
    "header",
    [
        {"kid": "unknown"},
        {"kid": None},
        {"kid": 1},
        {"kid": "../x"},
        {"alg": "ES384"},
        {"crit": ["exp"]},
        {"b64": False},
    ],
    ids=str,
)
def test_w59_other_headers_are_refused(verifier: TokenVerifier, sign_text: Callable[..., str], header: Any) -> None:
    """Those that T30 and T31 do not try at the running gateway."""
    whole = {"alg": "ES256", "kid": "test-key-1", "typ": "at+jwt", **header}
    text = json.dumps({name: value for name, value in whole.items() if value is not None})
    with pytest.raises(Unauthenticated):
        verifier.verify_token(sign_text(text, json.dumps(claims())))


@pytest.mark.parametrize(
    ("header", "payload"),
    [
        (HEADER, "[]"),
        (HEADER, "not json"),
        (HEADER, '{"exp":NaN}'),
        (HEADER, "[" * 100_0),
        ("[]", json.dumps(claims())),
    ],
    ids=["a-list", "no-json", "a-number-that-is-none", "a-thousand-lists", "a-list-for-a-header"],
)
def test_w59_odd_json_is_refused(
    verifier: TokenVerifier, sign_text: Callable[..., str], header: str, payload: str
) -> None:
    with pytest.raises(Unauthenticated):
        verifier.verify_token(sign_text(header, payload))


def changed_forms(token: str) -> list[str]:
    head, payload, signature = token.split(".")
    return [
        "",
        ".",
        "..",
        "a.b.c",
        f"{head}.{payload}",
        f"{head}.{payload}.",
        f"{head}.{payload}.{signature}=",
        f"{head}.{payload}.{signature}==",
        f"{head}.{payload}.{signature}.x",
        f"{head}.{payload}.{encoded(bytes(64))}",
        f" {token}",
        f"{token}\n",
        f"{head}.{payload}x.{signature}",
        f"{head}.{payload}.{signature[:-1]}{'B' if signature[-1] != 'B' else 'C'}",
        token + "a" * 5000,
        "é" + token,
    ]


@pytest.mark.parametrize("number", range(16))
def test_w59_changed_forms_are_refused(verifier: TokenVerifier, sign: Callable[..., str], number: int) -> None:
    with pytest.raises(Unauthenticated):
        verifier.verify_token(changed_forms(sign())[number])


def test_a_kept_token_still_expires(public_keys: PublicKeys, sign: Callable[..., str]) -> None:
    now = [float(NOW)]
    verifier = TokenVerifier(public_keys, issuer="xinjing", audience="xinjing", clock=lambda: now[0])
    token = sign(iat=NOW, exp=NOW + 10, auth_time=NOW)
    verifier.verify_token(token)
    now[0] += 9.9
    verifier.verify_token(token)
    now[0] += 0.2
    with pytest.raises(Unauthenticated):
        verifier.verify_token(token)


def test_a_kept_token_dies_with_its_key(jwks: dict[str, Any], sign: Callable[..., str]) -> None:
    other = {"keys": [{**jwks["keys"][0], "kid": "another"}]}
    answers = [other, jwks]
    keys = PublicKeys(lambda: answers.pop())
    keys.refresh()
    verifier = TokenVerifier(keys, issuer="xinjing", audience="xinjing")
    token = sign()
    verifier.verify_token(token)
    keys.refresh()
    with pytest.raises(Unauthenticated):
        verifier.verify_token(token)


@pytest.fixture
def verified_anew() -> Callable[[], float]:
    """Count the tokens that were verified and not found in a cache."""
    return lambda: REGISTRY.get_sample_value("gateway_tokens_verified_total", {"outcome": "verified"}) or 0


def test_a_verified_token_is_not_verified_again(
    verifier: TokenVerifier, sign: Callable[..., str], verified_anew: Callable[[], float]
) -> None:
    token, before = sign(), verified_anew()
    assert verifier.verify_token(token) == verifier.verify_token(token)
    assert verified_anew() == before + 1


def test_a_refused_token_is_not_cached(verifier: TokenVerifier, sign: Callable[..., str]) -> None:
    token = sign(aud="another")
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            verifier.verify_token(token)


def test_the_cache_forgets_the_older_of_two_generations(
    public_keys: PublicKeys, sign: Callable[..., str], verified_anew: Callable[[], float]
) -> None:
    verifier = TokenVerifier(public_keys, issuer="xinjing", audience="xinjing", cached_per_generation=2)
    tokens = [sign(jti=f"token-{number}") for number in range(5)]
    for token in tokens[:4]:
        verifier.verify_token(token)
    before = verified_anew()
    for token in tokens[:4]:
        verifier.verify_token(token)
    assert verified_anew() == before
    verifier.verify_token(tokens[4])
    verifier.verify_token(tokens[2])
    assert verified_anew() == before + 1
    verifier.verify_token(tokens[0])
    assert verified_anew() == before + 2


def without(document: dict[str, Any], **changed: Any) -> dict[str, Any]:
    entry = {**document["keys"][0], **changed}
    return {"keys": [{name: value for name, value in entry.items() if value is not None}]}


@pytest.mark.parametrize(
    "changed",
    [
        {"use": "enc"},
        {"key_ops": ["encrypt"]},
        {"kty": "oct"},
        {"crv": "P-384"},
        {"kid": None},
        {"d": "AA"},
        {"x": "AA"},
    ],
    ids=str,
)
def test_keys_for_other_uses_are_not_taken(jwks: dict[str, Any], changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"JWK|key"):
        read_jwk_set(without(jwks, **changed))


@pytest.mark.parametrize("document", [None, {}, {"keys": []}, {"keys": "x"}, {"keys": [1]}])
def test_a_document_without_keys_is_not_taken(document: Any) -> None:
    with pytest.raises(ValueError, match="JWK"):
        read_jwk_set(document)


def test_two_keys_with_one_id_are_not_taken(jwks: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="one id"):
        read_jwk_set({"keys": jwks["keys"] * 2})


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_old_keys_outlive_an_outage_for_a_day(jwks: dict[str, Any]) -> None:
    answers: list[Any] = [jwks]
    clock = Clock()

    def fetch() -> Any:
        if not answers:
            raise UpstreamUnavailable
        return answers.pop()

    keys = PublicKeys(fetch, clock=clock)
    with pytest.raises(DependencyUnavailable):
        keys.find_key("test-key-1")
    assert keys.refresh()
    assert not keys.refresh()
    clock.now += 24 * 3600
    assert keys.find_key("test-key-1") is not None
    clock.now += 1
    with pytest.raises(DependencyUnavailable):
        keys.ping()


def test_an_unknown_key_id_fetches_at_most_once_in_thirty_seconds(jwks: dict[str, Any]) -> None:
    fetched = []
    clock = Clock()

    def fetch() -> Any:
        fetched.append(clock.now)
        new = dict(jwks["keys"][0], kid="new")
        return {"keys": [*jwks["keys"], new] if len(fetched) > 1 else jwks["keys"]}

    keys = PublicKeys(fetch, clock=clock)
    keys.start()
    try:
        await_key(keys, "test-key-1")
        await_key(keys, "new")
        so_far = len(fetched)
        assert so_far == 2
        assert [keys.find_key(f"unknown-{number}") for number in range(20)] == [None] * 20
        assert len(fetched) == so_far
    finally:
        keys.stop()


def await_key(keys: PublicKeys, key_id: str) -> None:
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            if keys.find_key(key_id) is not None:
                return
        except DependencyUnavailable:
            pass
        time.sleep(0.01)
    raise AssertionError(key_id)
