"""Loads the Lua scripts that lie beside the modules that call them."""

from pathlib import Path

from redis import Redis
from redis.commands.core import Script


def load_script(redis: Redis, beside: str, name: str) -> Script:
    """Load ``name.lua`` from the folder of the module whose ``__file__`` is ``beside``."""
    return redis.register_script(Path(beside).with_name(f"{name}.lua").read_text())
