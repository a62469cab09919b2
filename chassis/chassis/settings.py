"""How a service reads its settings: once, frozen, with every problem in one message."""

import sys
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

SECRETS_DIR = "/run/secrets"
S = TypeVar("S", bound=BaseSettings)


def settings_config(prefix: str) -> SettingsConfigDict:
    """Configure a service's ``Settings``: field ``code_ttl_seconds`` is variable ``PREFIX_CODE_TTL_SECONDS``.

    Secrets may also be files of that name (in lower case) under ``/run/secrets``; a variable wins over a file.
    """
    folder = SECRETS_DIR if Path(SECRETS_DIR).is_dir() else None
    return SettingsConfigDict(
        env_prefix=prefix,
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        secrets_dir=folder,
        hide_input_in_errors=True,
    )


def load_settings(kind: type[S]) -> S:
    """Read the settings, or stop the process with one message that names every missing or malformed variable."""
    try:
        return kind()
    except ValidationError as error:
        prefix = kind.model_config.get("env_prefix", "")
        lines = [f"  {_variable(prefix, kind, wrong['loc'])}: {wrong['msg']}" for wrong in error.errors()]
        sys.exit("Settings are missing or wrong:\n" + "\n".join(lines))
    except SettingsError as error:  # A list or dictionary that is not JSON; the text names the field alone.
        sys.exit(f"Settings are missing or wrong:\n  {error}")


def _variable(prefix: str, kind: type[BaseSettings], location: tuple[int | str, ...]) -> str:
    if not location:
        return kind.__name__
    name = str(location[0])
    return (prefix + name if name in kind.model_fields else name).upper()
