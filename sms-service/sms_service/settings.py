"""What the SMS service needs to run; every field is a variable SMS_…, units are in the names."""

from typing import Annotated

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from chassis.settings import ClientAddresses, Key, LogLevel, OtlpEndpoint, settings_config
from sms_service.codes.limit_settings import LimitSettings
from sms_service.providers.settings import EMPTY_IS_NONE, ProviderSettings
from sms_service.routing.routes import EVERYWHERE


class Settings(LimitSettings, ProviderSettings):
    """The settings of the API and of the worker."""

    model_config = settings_config("SMS_")

    redis_url: str
    internal_token_key: Key
    code_key: Key
    captcha_service_url: str
    # The nodes of RabbitMQ, separated by commas. Absent: the queue is a stream on Redis.
    amqp_url: Annotated[SecretStr | None, EMPTY_IS_NONE] = None
    log_level: LogLevel = "INFO"
    log_client_addresses: ClientAddresses = "masked"
    otlp_endpoint: OtlpEndpoint = None
    metrics_port: int = Field(default=9100, validation_alias="METRICS_PORT")
    bind_host: str = Field(default="127.0.0.1", validation_alias="BIND_HOST")  # Of the worker's metrics port.

    publish_deadline_seconds: float = Field(default=1.5, gt=0, le=10)
    # How long a worker may claim a job that the API has neither committed nor aborted: it may have crashed.
    claim_window_seconds: float = Field(default=15, gt=0, le=60)
    # A text that arrives when its code is valid for less time than this is useless, so it is not sent.
    useful_lifetime_seconds: float = Field(default=30, ge=0)
    queue_capacity_jobs: int = Field(default=50_000, ge=1)
    worker_threads: int = Field(default=16, ge=1, le=256)
    # A worker sends a heartbeat every 2 s. When none was heard of for so long, requests for codes are refused.
    worker_seen_within_seconds: float = Field(default=10, ge=5, le=60)
    # Longer than a provider call can take (8 s), so that no other worker takes the job of one that still sends.
    reclaim_after_seconds: float = Field(default=15, ge=10)

    @field_validator("countries")
    @classmethod
    def _check_routes(cls, countries: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        routes = info.data.get("routes", {EVERYWHERE: {}})  # Absent if they are malformed themselves.
        if unrouted := [country for country in countries if country not in routes and EVERYWHERE not in routes]:
            raise ValueError(f"SMS_ROUTES leads to no provider for {', '.join(unrouted)}")
        return countries
