"""Refuses to start on secrets and surroundings that protect nobody, with every problem in one message."""

import re
import sys
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise

from flask.helpers import get_debug_flag
from redis import RedisError, ResponseError
from structlog import get_logger

from chassis.redis_client import connect_redis

log = get_logger(__name__)
_BOOT_FAILED = 3  # gunicorn's own number: it stops, where after any other it starts the worker anew for ever.
_OBVIOUS = re.compile(r"secret|passwor|change.?me|example|default|xinjing|of the tests|0123456|qwerty", re.IGNORECASE)


def weak_secrets(secrets: Mapping[str, str]) -> list[str]:
    """Say which secrets are obvious, and which are equal though they must differ; by name, values are never shown."""
    obvious = [f"{name} is a known or obvious key; take 32 random bytes" for name in secrets if is_weak(secrets[name])]
    equal = [f"{one} and {other} must differ" for one, other in combinations(secrets, 2) if _same(secrets, one, other)]
    return obvious + equal


def is_weak(secret: str) -> bool:
    """Say whether a secret is short, holds a well-known word, or repeats or counts up its characters."""
    if len(secret) < 32 or _OBVIOUS.search(secret) or secret in (secret + secret)[1:-1]:
        return True
    return len(set(secret)) < 8 or len({ord(after) - ord(before) for before, after in pairwise(secret)}) < 8


def unsafe_surroundings(redis_url: str) -> list[str]:
    """Say what is wrong around us: Flask's debug mode, and a Redis that evicts. A Redis that is away is waited for."""
    problems = ["FLASK_DEBUG shows our inside to strangers; unset it"] if get_debug_flag() else []
    try:
        with connect_redis(redis_url) as redis:
            policy = redis.config_get("maxmemory-policy").get("maxmemory-policy", "noeviction")
    except RedisError as error:
        log.warning("redis_policy_unknown", is_forbidden=isinstance(error, ResponseError))
        return problems
    if policy != "noeviction":
        problems.append(f"Redis throws keys away when it is full ({policy}); set maxmemory-policy noeviction")
    return problems


def refuse_to_start(problems: Sequence[str]) -> None:
    """Stop the process if there are problems."""
    if problems:
        print("Not started, because this is not safe:", *problems, sep="\n  ", file=sys.stderr, flush=True)  # noqa: T201
        sys.exit(_BOOT_FAILED)


def _same(secrets: Mapping[str, str], one: str, other: str) -> bool:
    return secrets[one] == secrets[other]
