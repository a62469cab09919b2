"""The settings of user-service: variables USER_…, read once."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

from chassis.database import DatabaseUrl
from chassis.settings import ClientAddresses, Key, LogLevel, OtlpEndpoint, settings_config
from user_service.passwords.hashing import PasswordKeys


def _password_keys(value: SecretStr) -> SecretStr:
    PasswordKeys.parse(value.get_secret_value())
    return value


Limit = Annotated[int, Field(ge=1)]


class Settings(BaseSettings):
    """All settings; every field with its unit in its name."""

    model_config = settings_config("USER_")

    database_url: DatabaseUrl
    redis_url: str
    sms_service_url: str
    captcha_service_url: str
    media_dir: Path  # Holds the avatars; all replicas share it.
    internal_token_key: Key
    refresh_token_key: Key
    # id:secret[,id:secret…]; new hashes use the first key, the others check old hashes.
    password_keys: Annotated[SecretStr, AfterValidator(_password_keys)]
    log_level: LogLevel = "INFO"
    log_client_addresses: ClientAddresses = "masked"
    otlp_endpoint: OtlpEndpoint = None
    metrics_port: int = Field(default=9100, validation_alias="METRICS_PORT")
    processes: int = Field(default=1, ge=1, validation_alias="WEB_CONCURRENCY")

    # One of the two: PEMs, or a file that the first start writes.
    signing_key: SecretStr | None = None
    signing_key_file: Path | None = None
    token_issuer: str = "xinjing"
    token_audience: str = "xinjing"
    access_token_seconds: int = Field(default=600, ge=10, le=3600)

    session_idle_days: int = Field(default=14, ge=1, le=30)
    session_absolute_days: int = Field(default=30, ge=1, le=30)

    argon2_profile: Literal["owasp", "weak_only_for_tests"] = "owasp"
    # Of one process. None: `passwords.hashing.parallel_hashes` divides the cores among gunicorn's processes.
    parallel_hashes: Limit | None = None
    hash_wait_seconds: float = Field(default=5, gt=0)

    login_failures_per_account_per_5_minutes: Limit = 5
    login_failures_per_ip_per_minute: Limit = 30
    code_checks_per_ip_per_minute: Limit = 30
    # After this many failures of one mobile in 5 minutes, or of one address in a minute, a login needs a captcha.
    login_captcha_after_failures_per_account: Limit = 3
    login_captcha_after_failures_per_ip: Limit = 10
    # After this many in a row the password is locked out until a login by code; NIST SP 800-63B-4, 3.2.2 allows 100.
    login_failures_in_a_row: int = Field(default=100, ge=1, le=100)
    # Logins that may be delayed at once in a process; each occupies one of its threads for up to 10 seconds.
    tarpit_places: Limit = 2
    # Lines that failures may add to the audit log; see audit/log.py.
    audit_failures_per_hour: Limit = 2000

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        self.signing_key_source()
        if self.internal_token_key == self.refresh_token_key:
            raise ValueError("USER_REFRESH_TOKEN_KEY and USER_INTERNAL_TOKEN_KEY must differ")
        others = {self.internal_token_key.get_secret_value(), self.refresh_token_key.get_secret_value()}
        if others & set(self.parsed_password_keys().secrets.values()):
            raise ValueError("the secrets of USER_PASSWORD_KEYS must differ from all other keys")
        return self

    def parsed_password_keys(self) -> PasswordKeys:
        """Return the keys of the pepper."""
        return PasswordKeys.parse(self.password_keys.get_secret_value())

    def signing_key_source(self) -> SecretStr | Path:
        """Return the PEMs, or else the file that holds the keys.

        Raises:
            ValueError: neither is set.
        """
        source = self.signing_key or self.signing_key_file
        if source is None:
            raise ValueError("set USER_SIGNING_KEY or USER_SIGNING_KEY_FILE")
        return source
