"""The speed of accounts, as ratios against yardsticks in the same run: ``python -m bench.accounts``.

Logins against bare argon2 (see `logins`), the check of a token against PyJWT alone, and ``users/me`` through the
gateway against a bare Flask answer under the same gunicorn.
"""

import os
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import jwt
import urllib3

from bench.logins import measure_logins
from bench.rounds import CLIENTS, ROUNDS, compared, per_second
from chassis.logs import configure_logs
from gateway.public_keys import PublicKeys
from gateway.verifier import TokenVerifier
from local.settings import free_ports
from stage.accounts import ROOT, Accounts, running_accounts
from user_service.tokens.signing_key import new_key

_PASSWORD = "correct horse battery"
_TOKENS = 400
_http = urllib3.PoolManager(maxsize=2 * CLIENTS, retries=False, timeout=30)


def post(url: str, body: dict[str, str], headers: dict[str, str], expected: int) -> dict[str, object]:
    """Post JSON and return the answer's."""
    answer = _http.request("POST", url, json=body, headers=headers)
    if answer.status != expected:
        raise RuntimeError(f"{answer.status}: {answer.data[:300]!r}")
    found: dict[str, object] = answer.json()
    return found


@contextmanager
def hello() -> Iterator[str]:
    """Run the yardstick under gunicorn with the gateway's numbers of processes and threads."""
    [port] = free_ports(1)
    command = [sys.executable, "-m", "gunicorn", "-k", "gthread", "--threads", "8", "-b", f"127.0.0.1:{port}"]
    path = os.pathsep.join([str(ROOT / "tests-e2e"), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [*command, "--log-level", "error", "stage.hello:app"], env={**os.environ, "PYTHONPATH": path}
    )
    try:
        time.sleep(2)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(30)


def measure_reading(system: Accounts) -> str:
    """Read the own profile through one gateway process."""
    gateway = system.gateways[0].url
    body = {"mobile": "13900139000", "sms_code": "031415", "password": _PASSWORD}
    token = post(f"{gateway}/api/v1/users", body, {}, 201)["access_token"]

    def read(url: str, headers: dict[str, str]) -> None:
        answer = _http.request("GET", url, headers=headers)
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {answer.data[:300]!r}")

    own = {"Authorization": f"Bearer {token}"}
    with hello() as address:
        return compared(
            "users/me through the gateway to Flask's hello",
            lambda: per_second(lambda _: read(f"{gateway}/api/v1/users/me", own)),
            lambda: per_second(lambda _: read(address, {})),
            unit="a second",
        )


def measure_verifying() -> list[str]:
    """Check tokens in this process: for the first time, again, and by PyJWT alone."""
    key, now = new_key(), int(datetime.now(UTC).timestamp())
    claims = {"iss": "xinjing", "aud": "xinjing", "sub": "1", "iat": now, "exp": now + 600, "auth_time": now}
    tokens = [
        jwt.encode(
            {**claims, "roles": [], "jti": secrets.token_hex(16), "sid": f"{number:032x}"},
            key.private_key,
            algorithm="ES256",
            headers={"kid": key.kid, "typ": "at+jwt"},
        )
        for number in range(_TOKENS)
    ]
    keys = PublicKeys(lambda: {"keys": [key.public_jwk()]})
    keys.refresh()
    public = key.private_key.public_key()

    def seconds(check: Callable[[str], object], times: int) -> float:
        begun_at = time.perf_counter()
        for _ in range(times):
            for token in tokens:
                check(token)
        return (time.perf_counter() - begun_at) / times / len(tokens)

    lines = []
    for name, times in (("first check of a token to PyJWT alone", 1), ("later checks of a token to PyJWT alone", 50)):
        pairs = []
        for _ in range(ROUNDS):
            verifier = TokenVerifier(keys, issuer="xinjing", audience="xinjing")
            if times > 1:
                seconds(verifier.verify_token, 1)
            bare = seconds(lambda token: jwt.decode(token, public, algorithms=["ES256"], audience="xinjing"), 1)
            pairs.append((seconds(verifier.verify_token, times), bare))
        mine, other = (statistics.median(each) for each in zip(*pairs, strict=True))
        lines.append(f"{name:44} {mine / other:6.3f}  ({1e6 * mine:,.1f} to {1e6 * other:,.1f} µs)")
    return lines


def main() -> int:
    """Measure, and print."""
    configure_logs("bench", "ERROR")
    print(f"\nAccounts on {os.cpu_count()} cores, one machine for everything")
    with running_accounts(gateways=1, USER_ARGON2_PROFILE="owasp", USER_LOG_LEVEL="WARNING") as system:
        print(*(f"  {line}" for line in measure_logins(system)), sep="\n")
        print(" ", measure_reading(system))
    print(*(f"  {line}" for line in measure_verifying()), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
