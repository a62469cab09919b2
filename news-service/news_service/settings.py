"""The settings of the news service; variables begin with NEWS_."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_settings import BaseSettings

from chassis.database import DatabaseUrl
from chassis.settings import ClientAddresses, Commas, Key, LogLevel, OtlpEndpoint, settings_config
from news_service.comments.tables import ReviewPolicy

SiteUrl = Annotated[str, StringConstraints(pattern=r"^https?://[a-z0-9.\-\[\]:]+$")]
"""The public address of the site, without a path: ``https://news.example``."""

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
    site_url: SiteUrl = "http://127.0.0.1:8000"
    view_counts_once_per_seconds: int = Field(default=1800, ge=1)
    view_flush_seconds: float = Field(default=10.0, gt=0)
    word_list_file: Path | None = None
    comment_review: ReviewPolicy = ReviewPolicy.FIRST
    comments_per_user_per_minute: int = Field(default=5, ge=1, le=100_000)
    comments_per_ip_per_minute: int = Field(default=30, ge=1, le=100_000)
    reactions_per_user_per_minute: int = Field(default=60, ge=1, le=100_000)
    new_accounts_wait_seconds: int = Field(default=600, ge=0, le=30 * 24 * 3600)
    images_dir: Path  # All replicas share it.
    images_per_user_per_day: int = Field(default=100, ge=1, le=10_000)
    articles_per_user_per_day: int = Field(default=50, ge=1, le=1000)
    # Beside ours: whose pictures the pages show, and an import may keep.
    image_hosts: Commas[ImageHost] = ()
    log_level: LogLevel = "INFO"
    log_client_addresses: ClientAddresses = "masked"
    otlp_endpoint: OtlpEndpoint = None
    metrics_port: int = Field(default=9100, validation_alias="METRICS_PORT")
