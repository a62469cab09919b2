"""The services of `examples/` behind a real gateway: they know who is signed in, and refuse everything else."""

import hmac
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from jwt.utils import base64url_decode, base64url_encode
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.auth.identity_tokens import IdentityKeys, IdentityTokens, new_key_pem
from gateway.auth.verifier import Identity
from stage.accounts import Accounts, Process
from stage.client import Client

EXAMPLES = Path(__file__).parents[2] / "examples"
COMMANDS = {
    "flask": [sys.executable, "-m", "flask", "--app", "app.py", "run", "--port", "{port}"],
    "fastapi": [sys.executable, "-m", "uvicorn", "app:app", "--port", "{port}"],
    "express": ["node", "app.js"],
}
NAMES = ["flask", "fastapi", pytest.param("express", marks=pytest.mark.node)]
START_SECONDS = 60


@pytest.fixture(scope="module")
def gateway(accounts: Accounts) -> Process:
    """A gateway with the routes of the examples."""
    return accounts.gateways[0]


@pytest.fixture(scope="module")
def token(gateway: Process) -> str:
    """The access token of somebody with an account."""
    with Client() as client:
        access_token: str = client.register(gateway, "13900139000")["access_token"]
        return access_token


@pytest.fixture(scope="module")
def start_example(
    example_ports: dict[str, int], gateway: Process, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], str]]:
    """Start an example once, and return its own address."""
    with ExitStack() as ends:
        running: dict[str, str] = {}

        def start(name: str) -> str:
            if name not in running:
                folder = tmp_path_factory.mktemp(name)
                running[name] = ends.enter_context(_running(name, example_ports[name], gateway.url, folder))
            return running[name]

        yield start


@contextmanager
def _running(name: str, port: int, gateway_url: str, folder: Path) -> Iterator[str]:
    shutil.copytree(EXAMPLES / name, folder, dirs_exist_ok=True)
    if (folder / "package.json").exists():
        subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, check=True, timeout=240, capture_output=True
        )
    command = [word.format(port=port) for word in COMMANDS[name]]
    env = {**os.environ, "GATEWAY_URL": gateway_url, "PORT": str(port)}
    url, log = f"http://127.0.0.1:{port}", folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=output, stderr=output)
    try:
        end = time.monotonic() + START_SECONDS
        while not _answers(url):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code > 0
    except requests.ConnectionError:
        return False


def ask(url: str, path: str, **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.get(f"{url}{path}", headers=named, timeout=20)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_knows_who_is_signed_in(
    name: str, start_example: Callable[[str], str], gateway: Process, token: str
) -> None:
    start_example(name)
    bearer = {"Authorization": f"Bearer {token}"}
    own_id = ask(gateway.url, "/api/v1/users/me", **bearer).json()["id"]
    answer = ask(gateway.url, f"/examples/{name}/orders/7", **bearer)
    assert (answer.status_code, answer.json()) == (200, {"path": "orders/7", "user": str(own_id), "roles": []})


@pytest.mark.parametrize("name", NAMES)
def test_nobody_passes_without_a_token(
    name: str, start_example: Callable[[str], str], gateway: Process, identity_key: str
) -> None:
    start_example(name)
    refused = ask(gateway.url, f"/examples/{name}/orders/7")
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    # The route lets everybody pass, and drops what clients say of themselves; the service refuses.
    forged = identity_token(f"{name}-orders", identity_key)
    assert ask(gateway.url, f"/examples/{name}/open/1", X_Identity=forged).status_code == 401


def identity_token(audience: str, pem: str, *, age_seconds: int = 0) -> str:
    now = time.time() - age_seconds
    identity = Identity(7, "s", frozenset(), int(now), int(now) + 60)
    return IdentityTokens(IdentityKeys(pem), clock=lambda: now).write_token(audience, identity)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_refuses_what_the_gateway_did_not_write_for_it(
    name: str, start_example: Callable[[str], str], identity_key: str, token: str
) -> None:
    url, audience = start_example(name), f"{name}-orders"
    path = f"/examples/{name}/orders/7"
    assert ask(url, path, X_Identity=identity_token(audience, identity_key)).status_code == 200
    wrong = forged_tokens(audience, identity_key) | {
        "nothing": "",
        "no token": "a.b.c",
        "another service's": identity_token("other-orders", identity_key),
        "another key's": identity_token(audience, new_key_pem()),
        "expired": identity_token(audience, identity_key, age_seconds=600),
        "an access token": token,
    }
    found = {kind: ask(url, path, X_Identity=text).status_code for kind, text in wrong.items()}
    assert found == dict.fromkeys(wrong, 401)
    for headers in ({}, {"X_User_Id": "7", "X_User_Roles": "admin"}, {"Authorization": f"Bearer {token}"}):
        assert ask(url, path, **headers).status_code == 401
    assert ask(url, path, X_Identity=identity_token(audience, identity_key)).status_code == 200


def forged_tokens(audience: str, pem: str) -> dict[str, str]:
    """Tokens with the claims of a right one, as somebody writes them who knows the public key alone."""
    head, payload, signature = identity_token(audience, pem).split(".")
    header, claims = jwt.get_unverified_header(f"{head}.{payload}.{signature}"), json.loads(base64url_decode(payload))
    public_key = load_pem_private_key(pem.encode(), None).public_key()
    public_pem = public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    published = json.dumps(IdentityKeys(pem).keys[0].public_jwk)
    own_key = load_pem_private_key(new_key_pem().encode(), None)
    own_jwk = jwt.algorithms.ECAlgorithm.to_jwk(own_key.public_key(), as_dict=True)
    changed = base64url_encode(json.dumps(claims | {"roles": ["admin"]}).encode()).decode()
    return {
        "unsigned": f"{head}.{payload}.",
        "changed": f"{head}.{changed}.{signature}",
        "alg none": written(header | {"alg": "none"}, claims),
        "alg None": written(header | {"alg": "None"}, claims, base64url_encode(b"x").decode()),
        "HS256 with the public key": written(header | {"alg": "HS256"}, claims, key=public_pem),
        "HS256 with the published key": written(header | {"alg": "HS256"}, claims, key=published.encode()),
        "HS256 with nothing": written(header | {"alg": "HS256"}, claims, key=b""),
        "a key of its own": jwt.encode(claims, own_key, "ES256", header | {"jwk": own_jwk}),
        "a key of another address": jwt.encode(claims, own_key, "ES256", header | {"jku": "http://127.0.0.1:9/"}),
        "an unknown key": jwt.encode(claims, own_key, "ES256", header | {"kid": "unknown"}),
        "no key named": jwt.encode(claims, own_key, "ES256", {"typ": header["typ"]}),
        "ES384": written(header | {"alg": "ES384"}, claims, signature),
    }


def written(header: dict[str, Any], claims: dict[str, Any], signature: str = "", *, key: bytes | None = None) -> str:
    """Write a token as no library would; with a key, signed by HMAC."""
    signed = ".".join(base64url_encode(json.dumps(part).encode()).decode() for part in (header, claims))
    if key is not None:
        signature = base64url_encode(hmac.digest(key, signed.encode(), "sha256")).decode()
    return f"{signed}.{signature}"


def test_the_gateways_document_takes_in_that_of_an_example(
    start_example: Callable[[str], str], gateway: Process
) -> None:
    start_example("fastapi")
    end = time.monotonic() + START_SECONDS
    while "Show" not in (summaries := _summaries(ask(gateway.url, "/api/v1/openapi.json").json())):
        assert time.monotonic() < end, summaries
        time.sleep(0.2)
    # These have no document, so their routes alone are listed.
    assert {"/examples/flask/**", "/examples/express/**"} < set(summaries)


def _summaries(document: dict[str, Any]) -> list[str]:
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    examples = (item for path, item in document["paths"].items() if path.startswith("/examples/"))
    return [item["get"]["summary"] for item in examples]


@pytest.mark.parametrize("name", COMMANDS)
def test_an_example_has_at_most_30_lines(name: str) -> None:
    [program] = (EXAMPLES / name).glob("app.*")
    assert len(program.read_text().splitlines()) <= 30
