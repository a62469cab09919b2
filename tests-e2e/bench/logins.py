"""Logins by password at user-service, against bare argon2 of the same parameters on all cores of the same machine.

Clients, service, Redis and SQLite share the cores with the hashes; the yardstick has them alone. So that little of it
goes to the load generator, its clients are bare keep-alive connections that send one internal token for half a minute.
The second row compares processor time, clients and Redis included. It is what the first comes to on a machine with
nothing else to do; with others at work only the second means something, as more processes get a greater share.
"""

import json
import os
import statistics
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

from argon2 import PasswordHasher

from bench.effort import Effort, Tell
from bench.rounds import CLIENTS, per_second, speed_and_cpu_ms
from bench.table import Row, compare
from chassis.identity import GATEWAY, INTERNAL_TOKEN_HEADER, Caller, InternalTokens
from stage.accounts import Accounts
from user_service.passwords.hashing import PROFILES

_PASSWORD = "correct horse battery"
_PEOPLE = 16
_GOAL = 0.75  # DECISIONS.md says why not more.
_TOKEN_SECONDS = 30  # Half of its life.


class _Client:
    """Calls user-service as the gateway does; each thread has a connection of its own."""

    def __init__(self, system: Accounts) -> None:
        self._address = urlsplit(system.user.url).netloc
        self._tokens = InternalTokens(system.env["USER_INTERNAL_TOKEN_KEY"])
        self._token, self._renew_at = "", 0.0
        self._own = threading.local()

    def post(self, path: str, body: dict[str, str]) -> None:
        """Post JSON that makes something."""
        if time.monotonic() > self._renew_at:
            self._token = self._tokens.write_token(Caller(GATEWAY), audience="user-service")
            self._renew_at = time.monotonic() + _TOKEN_SECONDS
        if not hasattr(self._own, "connection"):
            self._own.connection = HTTPConnection(self._address, timeout=30)
        headers = {INTERNAL_TOKEN_HEADER: self._token, "Content-Type": "application/json"}
        self._own.connection.request("POST", path, json.dumps(body), headers)
        answer = self._own.connection.getresponse()
        text = answer.read()
        if answer.status != 201:
            raise RuntimeError(f"{answer.status}: {text[:300]!r}")


def measure_logins(system: Accounts, effort: Effort, tell: Tell) -> Iterator[Row]:
    """Register some people, and log them in over and over."""
    tell("registering people")
    client = _Client(system)
    for number in range(_PEOPLE):
        body = {"mobile": f"138001{number:05}", "sms_code": "031415", "password": _PASSWORD}
        client.post("/api/v1/users", body)

    def log_in(number: int) -> None:
        client.post("/api/v1/sessions", {"mobile": f"138001{number % _PEOPLE:05}", "password": _PASSWORD})

    profile, cores = PROFILES["owasp"], os.cpu_count() or 1
    hasher = PasswordHasher(time_cost=profile.passes, memory_cost=profile.memory_kib, parallelism=1)
    stored = hasher.hash(_PASSWORD)
    per_second(log_in, seconds=effort.round_seconds)  # Fills the caches of statements, connections and scripts.
    rounds = []
    for number in range(effort.login_rounds):
        tell(f"logins and bare argon2, round {number + 1} of {effort.login_rounds}")
        logins = speed_and_cpu_ms(log_in, threads=CLIENTS, seconds=effort.login_seconds)
        hashes = speed_and_cpu_ms(
            lambda _: hasher.verify(stored, _PASSWORD), threads=cores, seconds=effort.login_seconds
        )
        rounds.append((*logins, *hashes))
    logins_done, login_ms, hashes_done, hash_ms = (statistics.median(column) for column in zip(*rounds, strict=True))
    against = "bare argon2 on all cores"
    yield compare("logins by password", logins_done, hashes_done, unit="a second", against=against, at_least=_GOAL)
    yield compare("CPU of a login", login_ms, hash_ms, unit="ms", against="bare argon2")
