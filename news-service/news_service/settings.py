"""The settings of the news service; variables begin with NEWS_."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings

from chassis.database import DatabaseUrl
from chassis.settings import ClientAddresses, Commas, Key, LogLevel, OtlpEndpoint, settings_config

_HOST = re.compile(r"(?!.{254})(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")


def _check_host(name: str) -> str:
    if not _HOST.fullmatch(name):
        raise ValueError(f"{name[:64]!r} is not the bare name of a host such as img.example.com")
    return name


ImageHost = Annotated[str, AfterValidator(_check_host)]
"""The bare name of a host, such as ``img.example.com``: it stands in the content policy of the pages."""


class Settings(BaseSettings):
    """All settings of the service."""

    model_config = settings_config("NEWS_")

    database_url: DatabaseUrl
    redis_url: str
    internal_token_key: Key
    user_service_url: str
    view_counts_once_per_seconds: int = Field(default=1800, ge=1)
    view_flush_seconds: float = Field(default=10.0, gt=0)
    # Beside ours: whose pictures the pages show, and an import may keep.
    image_hosts: Commas[ImageHost] = ()
    log_level: LogLevel = "INFO"
    log_client_addresses: ClientAddresses = "masked"
    otlp_endpoint: OtlpEndpoint = None
    metrics_port: int = Field(default=9100, validation_alias="METRICS_PORT")
