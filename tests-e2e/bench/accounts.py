"""The speed of accounts.

Logins against bare argon2 (see `logins`), ``users/me`` through the gateway against a bare Flask answer under the same
gunicorn, and the check of a token against PyJWT alone.
"""

import secrets
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial

import jwt
import urllib3

from bench.effort import Effort, Tell
from bench.logins import measure_logins
from bench.rounds import CLIENTS, per_second, speed_and_cpu_ms
from bench.table import Row, compare
from bench.yardsticks import flask_app
from gateway.auth.public_keys import PublicKeys
from gateway.auth.verifier import TokenVerifier
from stage.accounts import Accounts, running_accounts
from stage.client import Client
from user_service.tokens.signing_key import SigningKey, new_key

# By processor time, which other work on the machine leaves alone: 5.8 to 6.1 were measured, through two services and
# Redis. The ratio of the speeds is a fifth then.
_READING_GOAL = 7
_TOKENS = 400
_LATER_CHECKS = 50


def measure(effort: Effort, tell: Tell) -> Iterator[Row]:
    """Measure logins, reading and the checks of tokens."""
    tell("starting user-service and a gateway")
    with running_accounts(gateways=1, USER_ARGON2_PROFILE="owasp", USER_LOG_LEVEL="WARNING") as system:
        yield from measure_logins(system, effort, tell)
        yield from _reading(system, effort, tell)
    yield from _checks_of_tokens(effort, tell)


def _reading(system: Accounts, effort: Effort, tell: Tell) -> Iterator[Row]:
    """Read the own profile through one gateway process."""
    gateway = system.gateways[0]
    with Client() as client:
        token = client.register(gateway, "13900139000")["access_token"]
    http = urllib3.PoolManager(maxsize=2 * CLIENTS, retries=False, timeout=30)

    def read(url: str, headers: dict[str, str], _: int) -> None:
        answer = http.request("GET", url, headers=headers)
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {answer.data[:300]!r}")

    own = partial(read, f"{gateway.url}/api/v1/users/me", {"Authorization": f"Bearer {token}"})
    per_second(own, seconds=effort.call_seconds)  # Fills the caches.
    rounds = []
    with flask_app("stage.hello:app", system.folder) as address:
        for number in range(effort.rounds):
            tell(f"users/me and Flask's bare answer, round {number + 1} of {effort.rounds}")
            reads = speed_and_cpu_ms(own, seconds=effort.round_seconds)
            rounds.append((*reads, *speed_and_cpu_ms(partial(read, address, {}), seconds=effort.round_seconds)))
    reads_done, read_ms, bare_done, bare_ms = (statistics.median(column) for column in zip(*rounds, strict=True))
    what, against = "users/me through the gateway", "Flask's bare answer"
    yield compare(what, reads_done, bare_done, unit="a second", against=against)
    yield compare("CPU of a users/me", read_ms, bare_ms, unit="ms", against=against, at_most=_READING_GOAL)


def _checks_of_tokens(effort: Effort, tell: Tell) -> Iterator[Row]:
    """Check tokens in this process: for the first time, again, and by PyJWT alone."""
    tell("checks of tokens")
    key = new_key()
    tokens = [signed_token(key, number) for number in range(_TOKENS)]
    keys = PublicKeys(lambda: {"keys": [key.public_jwk()]})
    keys.refresh()
    public = key.private_key.public_key()

    def seconds(check: Callable[[str], object]) -> float:
        begun_at = time.perf_counter()
        for token in tokens:
            check(token)
        return (time.perf_counter() - begun_at) / len(tokens)

    rounds = []
    for _ in range(effort.rounds):
        verifier = TokenVerifier(keys, issuer="xinjing", audience="xinjing")
        first = seconds(verifier.verify_token)
        later = statistics.mean(seconds(verifier.verify_token) for _ in range(_LATER_CHECKS))
        bare = seconds(lambda token: jwt.decode(token, public, algorithms=["ES256"], audience="xinjing"))
        rounds.append((1e6 * first, 1e6 * later, 1e6 * bare))
    first, later, bare = (statistics.median(column) for column in zip(*rounds, strict=True))
    yield compare("a token's first check", first, bare, unit="µs", against="PyJWT alone")
    yield compare("a token's later checks", later, bare, unit="µs", against="PyJWT alone")


def signed_token(key: SigningKey, number: int) -> str:
    """Sign an access token of one session for ten minutes, as user-service does."""
    now = int(datetime.now(UTC).timestamp())
    claims = {"iss": "xinjing", "aud": "xinjing", "sub": "1", "iat": now, "exp": now + 600, "auth_time": now}
    own = {"roles": [], "jti": secrets.token_hex(16), "sid": f"{number:032x}"}
    headers = {"kid": key.kid, "typ": "at+jwt"}
    return jwt.encode(claims | own, key.private_key, algorithm="ES256", headers=headers)
