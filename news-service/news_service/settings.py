"""The settings of the news service; variables begin with NEWS_."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings

from chassis.database import DatabaseUrl
from chassis.settings import ClientAddresses, Key, LogLevel, OtlpEndpoint, settings_config


class Settings(BaseSettings):
    """All settings of the service."""

    model_config = settings_config("NEWS_")

    database_url: DatabaseUrl
    redis_url: str
    internal_token_key: Key
    user_service_url: str
    view_counts_once_per_seconds: int = Field(default=1800, ge=1)
    view_flush_seconds: float = Field(default=10.0, gt=0)
    word_list_file: Path | None = None
    log_level: LogLevel = "INFO"
    log_client_addresses: ClientAddresses = "masked"
    otlp_endpoint: OtlpEndpoint = None
    metrics_port: int = Field(default=9100, validation_alias="METRICS_PORT")
