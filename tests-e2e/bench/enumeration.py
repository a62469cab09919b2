"""Does the time of an answer tell whether a mobile has an account? (T22)

One user-service, full argon2, real Redis. Each comparison asks in pairs, in random order, about a mobile with an
account and one without; each request comes from an address of its own and no mobile is tried more than twice, so no
limit, captcha or delay takes part. The AUC is the chance that a random answer about an account took longer than a
random one about none; 0.5 is a coin.
The bounds: a difference of the medians under 2 ms or 2 %, and an AUC within 0.05 of the coin.
"""

import http.client
import json
import random
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from itertools import count
from statistics import median
from urllib.parse import urlsplit

from bench.effort import Effort, Tell
from bench.table import Row, written
from chassis.database import Database
from chassis.identity import GATEWAY, INTERNAL_TOKEN_HEADER, Caller, InternalTokens
from stage.accounts import Accounts, running_accounts
from user_service.models import FOR_EVER, User
from user_service.passwords.hashing import PROFILES, PasswordKeys, Passwords

_PASSWORD = "correct horse battery"
_TRIES_PER_MOBILE = 2
# How the account is, what is sent, by name.
_COMPARISONS = {
    "wrong password, account": ("known", {"password": "something else"}),
    "right password, banned account": ("banned", {"password": _PASSWORD}),
    "wrong code, account": ("known", {"sms_code": "000000"}),
}
_PREFIXES = {"known": "+86138", "banned": "+86139", "unknown": "+86137"}
_BOUND_MS, _BOUND_SHARE, _BOUND_AUC = 2, 0.02, 0.05

Ask = Callable[[str, dict[str, str]], float]


def measure(effort: Effort, tell: Tell) -> Iterator[Row]:
    """Run every comparison."""
    tell("starting user-service")
    unlimited = {"USER_AUDIT_FAILURES_PER_HOUR": "1000000"}  # Every failure writes its line, as in an ordinary hour.
    with running_accounts(
        gateways=0, codes_are_right=False, USER_ARGON2_PROFILE="owasp", USER_LOG_LEVEL="ERROR", **unlimited
    ) as system:
        _make_accounts(system, effort.pairs)
        ask = _asker(system)
        for number, name in enumerate(_COMPARISONS):
            yield from _compare(ask, name, effort, number * effort.pairs, tell)


def _make_accounts(system: Accounts, pairs: int) -> None:
    """Insert so many accounts that no mobile is tried too often."""
    keys = PasswordKeys.parse(system.env["USER_PASSWORD_KEYS"])
    hashed = Passwords(PROFILES["owasp"], keys, parallel=1, wait_seconds=1).hash(_PASSWORD)
    database = Database(system.env["USER_DATABASE_URL"])
    with database.write() as db:
        for kind, until in (("known", None), ("banned", FOR_EVER)):
            for number in range(pairs // _TRIES_PER_MOBILE):
                user = User(mobile=f"{_PREFIXES[kind]}{number:08}", nick_name=f"{kind}{number}", banned_until=until)
                user.password = hashed
                db.add(user)
    database.close()


def _asker(system: Accounts) -> Ask:
    """Make a function that logs in and returns the seconds until the refusal."""
    tokens, addresses = InternalTokens(system.env["USER_INTERNAL_TOKEN_KEY"]), count()
    connection = http.client.HTTPConnection(urlsplit(system.user.url).netloc, timeout=30)

    def ask(mobile: str, proof: dict[str, str]) -> float:
        address = next(addresses)
        headers = {
            "Content-Type": "application/json",
            INTERNAL_TOKEN_HEADER: tokens.write_token(Caller(GATEWAY), audience="user-service"),
            "X-Forwarded-For": f"10.{address >> 16}.{address >> 8 & 255}.{address & 255}",
        }
        body = json.dumps({"mobile": mobile, **proof})
        begun_at = time.perf_counter()
        connection.request("POST", "/api/v1/sessions", body, headers)
        answer = connection.getresponse()
        answer.read()
        took = time.perf_counter() - begun_at
        if answer.status != 401:
            raise RuntimeError(f"{mobile}: {answer.status}, not a refusal")
        return took

    return ask


def _compare(ask: Ask, name: str, effort: Effort, offset: int, tell: Tell) -> Iterator[Row]:
    """Ask in pairs, and give the medians and the AUC; the unknown mobiles begin at ``offset``."""
    (kind, proof), pairs = _COMPARISONS[name], effort.pairs
    seconds: dict[str, list[float]] = {kind: [], "unknown": []}
    for pair in range(-effort.warm_up_pairs, pairs):
        tell(f"{name}, pair {max(pair + 1, 0):,} of {pairs:,}")
        mobile = pair % (pairs // _TRIES_PER_MOBILE)
        mobiles = {kind: f"{_PREFIXES[kind]}{mobile:08}", "unknown": f"{_PREFIXES['unknown']}{offset + mobile:08}"}
        for group in random.sample([kind, "unknown"], 2):
            took = ask(mobiles[group], proof)
            if pair >= 0:
                seconds[group].append(took)
    own_ms, other_ms = (1000 * median(seconds[group]) for group in (kind, "unknown"))
    difference_ms, ratio = abs(own_ms - other_ms), own_ms / other_ms
    is_near = difference_ms < _BOUND_MS or abs(ratio - 1) < _BOUND_SHARE
    goal = f"± {_BOUND_MS} ms or {_BOUND_SHARE:.0%}"
    yield Row(name, f"{written(own_ms)} ms", f"no account: {written(other_ms)} ms", ratio, goal, is_near)
    chance = _auc(seconds[kind], seconds["unknown"])
    is_chance, goal = abs(chance - 0.5) < _BOUND_AUC, f"0.5 ± {_BOUND_AUC}"
    yield Row("  which of the two took longer, AUC", f"{chance:.3f}", "a coin: 0.5", chance / 0.5, goal, is_chance)


def _auc(slower: list[float], faster: list[float]) -> float:
    """Return the chance that a value of the first list is above one of the second (Mann and Whitney's U, scaled)."""
    ordered = sorted(faster)
    above = sum((bisect_left(ordered, value) + bisect_right(ordered, value)) / 2 for value in slower)
    return above / (len(slower) * len(faster))
