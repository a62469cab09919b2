"""Loads Lua scripts from files beside the modules that call them."""

from pathlib import Path

from redis import Redis
from redis.commands.core import Script


def load_script(redis: Redis, beside: str, *names: str) -> Script:
    """Load ``name.lua`` from the folder of the module whose ``__file__`` is ``beside``; several make one script."""
    return redis.register_script("\n".join((Path(beside).parent / f"{name}.lua").read_text() for name in names))
