"""What user-service needs to run: variables USER_…, read once."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

from chassis.database import checked_url
from chassis.settings import settings_config


def _database_url(value: SecretStr) -> SecretStr:
    checked_url(value.get_secret_value())
    return value


Key = Annotated[SecretStr, Field(min_length=32)]
Limit = Annotated[int, Field(ge=1)]


class Settings(BaseSettings):
    """All settings; every field with its unit in its name."""

    model_config = settings_config("USER_")

    database_url: Annotated[SecretStr, AfterValidator(_database_url)]
    redis_url: str
    sms_service_url: str
    media_dir: Path  # Holds the avatars; all replicas share it.
    internal_token_key: Key
    refresh_token_key: Key
    log_level: str = "INFO"
    metrics_port: int = Field(default=9100, validation_alias="METRICS_PORT")

    # One of the two: a PEM, or a file that the first start writes.
    signing_key: SecretStr | None = None
    signing_key_file: Path | None = None
    token_issuer: str = "xinjing"
    token_audience: str = "xinjing"
    access_token_seconds: int = Field(default=600, ge=10, le=3600)

    session_idle_days: int = Field(default=14, ge=1, le=30)
    session_absolute_days: int = Field(default=30, ge=1, le=30)
    refresh_grace_seconds: int = Field(default=10, ge=0, le=30)

    argon2_profile: Literal["owasp", "weak_only_for_tests"] = "owasp"
    parallel_hashes: Limit = 4
    hash_wait_seconds: float = Field(default=5, gt=0)

    login_failures_per_account_per_5_minutes: Limit = 5
    login_failures_per_ip_per_minute: Limit = 30
    code_checks_per_ip_per_minute: Limit = 30

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        self.signing_key_source()
        if self.internal_token_key == self.refresh_token_key:
            raise ValueError("USER_REFRESH_TOKEN_KEY and USER_INTERNAL_TOKEN_KEY must differ")
        return self

    def signing_key_source(self) -> SecretStr | Path:
        """Return the PEM, or else the file that holds it.

        Raises:
            ValueError: neither is set.
        """
        source = self.signing_key or self.signing_key_file
        if source is None:
            raise ValueError("set USER_SIGNING_KEY or USER_SIGNING_KEY_FILE")
        return source
