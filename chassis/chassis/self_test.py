"""Refuses to start on weak secrets or in an unsafe environment, with every problem in one message."""

import re
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise

from flask.helpers import get_debug_flag
from pydantic_settings import BaseSettings
from redis import RedisError, ResponseError
from structlog import get_logger

from chassis.redis_client import connect_redis
from chassis.settings import fail_to_boot, secret_keys

log = get_logger(__name__)
_OBVIOUS = re.compile(r"secret|passwor|change.?me|example|default|xinjing|of the tests|0123456|qwerty", re.IGNORECASE)


def check_start(settings: BaseSettings, *, redis_url: str) -> None:
    """End the process if a key of the settings is weak, or if Flask or Redis is set up in an unsafe way."""
    refuse_to_start([*weak_secrets(secret_keys(settings)), *unsafe_surroundings(redis_url)])


def weak_secrets(secrets: Mapping[str, str]) -> list[str]:
    """Say which secrets are obvious, and which are equal though they must differ; by name, values are never shown."""
    obvious = [f"{name} is a known or obvious key; take 32 random bytes" for name in secrets if is_weak(secrets[name])]
    pairs = combinations(secrets.items(), 2)
    equal = [f"{name} and {other_name} must differ" for (name, secret), (other_name, other) in pairs if secret == other]
    return obvious + equal


def is_weak(secret: str) -> bool:
    """Say whether a secret is short, holds a well-known word, or repeats or counts up its characters."""
    if len(secret) < 32 or _OBVIOUS.search(secret) or secret in (secret + secret)[1:-1]:
        return True
    return len(set(secret)) < 8 or len({ord(after) - ord(before) for before, after in pairwise(secret)}) < 8


def unsafe_surroundings(redis_url: str) -> list[str]:
    """Say what is unsafe around the process: Flask's debug mode, and a Redis that evicts keys.

    A Redis that does not answer is no problem here: the service starts, and is not ready until Redis answers.
    """
    problems = ["FLASK_DEBUG shows source code and variables to every visitor; unset it"] if get_debug_flag() else []
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
    """End the process if there are problems."""
    if problems:
        fail_to_boot("Not started, because this is not safe:", problems)
