"""What the news service needs to know at its start; variables begin with NEWS_."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings

from chassis.database import checked_url
from chassis.settings import settings_config


def _checked(url: SecretStr) -> SecretStr:
    checked_url(url.get_secret_value())
    return url


def _long_enough(key: SecretStr) -> SecretStr:
    if len(key.get_secret_value().encode()) < 32:
        raise ValueError("at least 32 bytes are needed")
    return key


class Settings(BaseSettings):
    """All settings of the service."""

    model_config = settings_config("NEWS_")

    database_url: Annotated[SecretStr, AfterValidator(_checked)]
    redis_url: str
    internal_token_key: Annotated[SecretStr, AfterValidator(_long_enough)]
    user_service_url: str
    view_counts_once_per_seconds: int = Field(default=1800, ge=1)
    view_flush_seconds: float = Field(default=10.0, gt=0)
    log_level: str = "INFO"
    metrics_port: int = Field(default=9100, validation_alias="METRICS_PORT")
