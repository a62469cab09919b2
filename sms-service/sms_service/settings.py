"""What the SMS service needs to run; every field is a variable SMS_…, units are in the names."""

import enum
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode

from chassis.settings import settings_config
from sms_service.dispatch.routing import Pace, Routes, parse_paces, parse_routes

_SECRET_BYTES = 32
# An empty variable means "not set", as `${NAME:-}` writes it in a compose file.
_OptionalSecret = Annotated[SecretStr | None, BeforeValidator(lambda value: value or None)]
_OptionalText = Annotated[str | None, BeforeValidator(lambda value: value or None)]


def _parsed_by(parse: Callable[[str], object]) -> Callable[[object], object]:
    return lambda value: parse(value) if isinstance(value, str) else value


class ProviderName(enum.StrEnum):
    """The providers that can be chosen."""

    INBOX = "inbox"
    YUNTONGXUN = "yuntongxun"


def _known_providers(routes: Routes) -> Routes:
    names = _providers_of(routes)
    if unknown := names - set(ProviderName):
        raise ValueError(f"there is no provider {', '.join(sorted(unknown))}")
    if ProviderName.INBOX in names and len(names) > 1:
        raise ValueError("the inbox sends nothing, so it stands alone")
    return routes


def _providers_of(routes: Routes) -> set[str]:
    return {name for shares in routes.values() for name in shares}


_Routes = Annotated[Routes, NoDecode, BeforeValidator(_parsed_by(parse_routes)), AfterValidator(_known_providers)]
_Paces = Annotated[dict[str, Pace], NoDecode, BeforeValidator(_parsed_by(parse_paces))]


class Settings(BaseSettings):
    """The settings of the API and of the worker. Limits: notes of accounts, chapter 3 (NIST 800-63B, OWASP ASVS 6)."""

    model_config = settings_config("SMS_")

    redis_url: str
    internal_token_key: SecretStr
    code_key: SecretStr
    captcha_service_url: str
    amqp_url: _OptionalSecret = None  # Nodes with commas between them. Absent: the queue is a stream on Redis.
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    metrics_port: int = Field(default=9100, validation_alias="METRICS_PORT")
    bind_host: str = Field(default="127.0.0.1", validation_alias="BIND_HOST")  # Of the worker's metrics port.

    code_ttl_seconds: int = Field(default=300, ge=60, le=600)
    wrong_tries_per_code: int = Field(default=5, ge=1, le=5)
    resend_interval_seconds: int = Field(default=60, ge=1)
    sends_per_mobile_per_hour: int = Field(default=5, ge=1)
    sends_per_mobile_per_day: int = Field(default=10, ge=1)
    sends_per_ip_per_hour: int = Field(default=10, ge=1)
    sends_per_ip_per_day: int = Field(default=30, ge=1)

    publish_deadline_seconds: float = Field(default=1.5, gt=0, le=10)
    # A job that nobody committed or aborted may be claimed this long; it bounds a text that follows a crash.
    claim_window_seconds: float = Field(default=15, gt=0, le=60)
    # A text that arrives later than this before its code expires helps nobody.
    useful_lifetime_seconds: float = Field(default=30, ge=0)
    queue_capacity_jobs: int = Field(default=50_000, ge=1)
    worker_threads: int = Field(default=16, ge=1, le=256)
    # Longer than a provider call can take (8 s), so that a living worker's job is never taken away.
    reclaim_after_seconds: float = Field(default=15, ge=10)

    # Who texts to which country, with weights: CN=yuntongxun:3,aliyun:1; *=twilio. The inbox stands alone.
    routes: _Routes = {"*": {"inbox": 1}}
    # What a provider bears from all workers together, unless its own pace is named: twilio=10:16 (a second, parallel).
    provider_sends_per_second: int = Field(default=100, ge=1)
    provider_parallel_sends: int = Field(default=64, ge=1)
    provider_paces: _Paces = {}
    # Where the world reaches the gateway, as providers need it that call back: https://news.example.com
    public_url: _OptionalText = None
    # Stands in the addresses to which providers send delivery receipts; without it there are none.
    receipt_secret: _OptionalSecret = None
    templates_file: Path | None = None  # The operator's own, in the form of templates.toml.
    # With a domain each text ends in the line by which browsers fill the code in for that site alone.
    web_otp_domain: str | None = Field(default=None, pattern=r"^[a-z0-9.-]+$")
    inbox_messages: int = Field(default=200, ge=1)
    inbox_ttl_seconds: int = Field(default=3600, ge=1)
    yuntongxun_account_sid: _OptionalText = Field(default=None, validate_default=True)
    yuntongxun_auth_token: _OptionalSecret = Field(default=None, validate_default=True)
    yuntongxun_app_id: _OptionalText = Field(default=None, validate_default=True)
    yuntongxun_template_id: str = "1"  # The vendor's test template.
    yuntongxun_url: str = "https://app.cloopen.com:8883"

    @field_validator("code_key", "internal_token_key")
    @classmethod
    def _long_enough(cls, secret: SecretStr) -> SecretStr:
        if len(secret.get_secret_value().encode()) < _SECRET_BYTES:
            raise ValueError(f"needs at least {_SECRET_BYTES} bytes")
        return secret

    @field_validator("receipt_secret")
    @classmethod
    def _usable_in_an_address(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not re.fullmatch(r"[A-Za-z0-9_-]{32,128}", secret.get_secret_value()):
            raise ValueError("needs 32 to 128 characters of A-Z, a-z, 0-9, _ and -")
        return secret

    @field_validator("yuntongxun_account_sid", "yuntongxun_auth_token", "yuntongxun_app_id")
    @classmethod
    def _needed_by_yuntongxun(cls, value: object, info: ValidationInfo) -> object:
        if value is None and ProviderName.YUNTONGXUN in _providers_of(info.data.get("routes", {})):
            raise ValueError("is needed because SMS_ROUTES names yuntongxun")
        return value

    @property
    def providers(self) -> list[str]:
        """The providers of all routes, each once."""
        return sorted(_providers_of(self.routes))

    @property
    def has_inbox(self) -> bool:
        """Say whether texts are kept for the inbox page instead of being sent."""
        return self.providers == [ProviderName.INBOX]
