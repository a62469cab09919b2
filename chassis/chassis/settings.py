"""How a service reads its settings: once, frozen, with every problem in one message; and types for their fields.

(`chassis.database.DatabaseUrl` is a type for settings too; it stands there so that a service without a database does
not load SQLAlchemy.)
"""

import importlib.util
import logging
import os
import re
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, NoReturn, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

SECRETS_DIR = "/run/secrets"
BOOT_FAILED = 3  # gunicorn stops when a worker ends with this number; after any other it starts the worker again.
_KEY_BYTES = 32
# What others set beside our variables: ports of `make run`, what Kubernetes sets for each Service in each container
# (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables), CGI, and VS Code with zsh.
_OF_OTHERS = re.compile(r"\w+_(SERVICE_HOST|PORT(_\w+)?)|GATEWAY_INTERFACE|USER_ZDOTDIR")
S = TypeVar("S", bound=BaseSettings)
Item = TypeVar("Item")


def _check_key(key: SecretStr) -> SecretStr:
    if len(key.get_secret_value().encode()) < _KEY_BYTES:
        raise ValueError(f"needs at least {_KEY_BYTES} bytes")
    return key


def _check_log_level(name: str) -> str:
    if name not in logging.getLevelNamesMapping():
        raise ValueError("is not a log level such as INFO")
    return name


def _split_at_commas(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _check_exporter(endpoint: str | None) -> str | None:
    if endpoint and importlib.util.find_spec("opentelemetry") is None:
        raise ValueError("needs the packages of deploy/requirements-telemetry.txt (of an image: EXTRAS=telemetry)")
    return endpoint


_KEY_CHECK = AfterValidator(_check_key)
Key = Annotated[SecretStr, _KEY_CHECK]
"""A secret key of at least 32 bytes; `self_test.check_start` looks at every field of this type."""

Commas = Annotated[tuple[Item, ...], NoDecode, BeforeValidator(_split_at_commas)]
"""A list that is written with commas: ``names: Commas[str] = ()``."""

LogLevel = Annotated[str, AfterValidator(_check_log_level)]

ClientAddresses = Annotated[Literal["masked", "whole"], Field(validation_alias="LOG_CLIENT_ADDRESSES")]
"""How logs show addresses of clients; one variable for all services."""


OtlpEndpoint = Annotated[
    str | None,
    Field(validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT", pattern="^https?://"),
    AfterValidator(_check_exporter),
]
"""Where spans are exported to, like ``http://collector:4318``; one variable for all services, OpenTelemetry's own."""


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
    """Read the settings, or end the process with one message that names every missing, malformed or unknown variable.

    A variable or the file of a secret is unknown if it begins like these settings, or with ``XINJING_``, and is none.
    """
    problems = _unknown_variables(kind)
    try:
        settings = kind()
    except ValidationError as error:
        problems = [f"{_variable_of(kind, wrong['loc'])}: {wrong['msg']}" for wrong in error.errors()] + problems
    except SettingsError as error:  # A list or dictionary that is not JSON; the text names the field alone.
        problems = [str(error), *problems]
    if problems:
        fail_to_boot("Settings are missing or wrong:", problems)
    return settings


def _unknown_variables(kind: type[BaseSettings]) -> list[str]:
    prefix, folder = kind.model_config.get("env_prefix", ""), kind.model_config.get("secrets_dir")
    known = {str(field.validation_alias or prefix + name).upper() for name, field in kind.model_fields.items()}
    given = {name.upper() for name in (*os.environ, *(os.listdir(str(folder)) if folder else ()))}
    ours = [name for name in sorted(given - known) if prefix and name.startswith((prefix, "XINJING_"))]
    unknown = {name: get_close_matches(name, known, n=1) for name in ours if not _OF_OTHERS.fullmatch(name)}
    return [f"{name}: is unknown{f', did you mean {near[0]}?' if near else ''}" for name, near in unknown.items()]


def fail_to_boot(headline: str, problems: Iterable[str]) -> NoReturn:
    """Print the problems, one a line, and end the process so that gunicorn does not start it again."""
    print(headline, *problems, sep="\n  ", file=sys.stderr, flush=True)  # noqa: T201
    sys.exit(BOOT_FAILED)


def secret_keys(settings: BaseSettings) -> dict[str, str]:
    """Return the secret of every field of type `Key`, by the name of its variable."""
    kind = type(settings)
    names = [name for name, field in kind.model_fields.items() if _KEY_CHECK in field.metadata]
    return {_variable_of(kind, (name,)): getattr(settings, name).get_secret_value() for name in names}


def _variable_of(kind: type[BaseSettings], location: tuple[int | str, ...]) -> str:
    if not location:
        return kind.__name__
    name, prefix = str(location[0]), kind.model_config.get("env_prefix", "")
    return (prefix + name if name in kind.model_fields else name).upper()
