"""The settings of the captcha service."""

from pydantic import Field
from pydantic_settings import BaseSettings

from captcha_service.atlas import PERIOD_SECONDS
from captcha_service.questions import Content
from chassis.settings import ClientAddresses, Key, LogLevel, OtlpEndpoint, settings_config


class Settings(BaseSettings):
    """The variables ``CAPTCHA_…``; see the README's table."""

    model_config = settings_config("CAPTCHA_")

    redis_url: str
    internal_token_key: Key
    log_level: LogLevel = "INFO"
    log_client_addresses: ClientAddresses = "masked"
    otlp_endpoint: OtlpEndpoint = None
    metrics_port: int = Field(default=9100, validation_alias="METRICS_PORT")
    content: Content = Content.TEXT
    ttl_seconds: int = Field(default=180, gt=0, le=PERIOD_SECONDS)
    classic_ttl_seconds: int = Field(default=300, gt=0, le=PERIOD_SECONDS)
    # A proof of work takes up to 2^work_bits steps: a phone's browser does some 2^18 in a second, so that with 24 and
    # more ttl_seconds must grow too.
    work_bits: int = Field(default=20, ge=10, le=26)
    issues_per_ip_per_minute: int = Field(default=20, gt=0)
    issues_per_minute: int = Field(default=60_000, gt=0)
