"""The settings of the news service; variables begin with NEWS_."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings

from chassis.database import DatabaseUrl
from chassis.settings import ClientAddresses, Key, LogLevel, OtlpEndpoint, settings_config
from news_service.comments.tables import ReviewPolicy


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
    comment_review: ReviewPolicy = ReviewPolicy.FIRST
    comments_per_user_per_minute: int = Field(default=5, ge=1, le=100_000)
    comments_per_ip_per_minute: int = Field(default=30, ge=1, le=100_000)
    reactions_per_user_per_minute: int = Field(default=60, ge=1, le=100_000)
    new_accounts_wait_seconds: int = Field(default=600, ge=0, le=30 * 24 * 3600)
    log_level: LogLevel = "INFO"
    log_client_addresses: ClientAddresses = "masked"
    otlp_endpoint: OtlpEndpoint = None
    metrics_port: int = Field(default=9100, validation_alias="METRICS_PORT")
