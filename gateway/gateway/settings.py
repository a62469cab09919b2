"""The settings of the gateway, read once at start."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, StringConstraints
from pydantic_settings import BaseSettings

from chassis.settings import ClientAddresses, Commas, Key, LogLevel, OtlpEndpoint, settings_config


def _check_port(address: str) -> str:
    urlsplit(address).port  # noqa: B018 - it raises ValueError beyond 65535.
    return address


def _check_any_origin(origins: tuple[str, ...]) -> tuple[str, ...]:
    if "*" in origins and len(origins) > 1:
        raise ValueError("* stands alone")
    return origins


Address = Annotated[str, StringConstraints(pattern=r"^http://[A-Za-z0-9.\-\[\]:]+/?$"), AfterValidator(_check_port)]
Addresses = Annotated[Commas[Address], Field(min_length=1)]
Network = IPv4Network | IPv6Network
Origin = Annotated[str, StringConstraints(pattern=r"^https?://[a-z0-9.\-\[\]:]+$")]
# A path, or an address with one; no query, because the gateway writes it.
SignInUrl = Annotated[
    str, StringConstraints(pattern=r"^(https?://[a-z0-9.\-\[\]:]+)?/([A-Za-z0-9._~-][A-Za-z0-9._~/-]*)?$")
]
PerMinute = Annotated[int, Field(ge=1, le=100_000)]


class Settings(BaseSettings):
    """Field ``cookies_secure`` is variable ``GATEWAY_COOKIES_SECURE``; lists are written with commas."""

    model_config = settings_config("GATEWAY_")

    redis_url: SecretStr
    internal_token_key: Key
    log_level: LogLevel = "INFO"
    log_client_addresses: ClientAddresses = "masked"
    otlp_endpoint: OtlpEndpoint = None
    metrics_port: int = Field(default=9100, validation_alias="METRICS_PORT")
    threads: int = Field(default=256, ge=1, validation_alias="THREADS")  # As gunicorn.conf.py reads it.
    # gunicorn.conf.py sets both: a folder that its workers share, and how often it was started or reloaded.
    workers_dir: Path | None = Field(default=None, validation_alias="WORKERS_DIR")
    reloads: int = Field(default=0, validation_alias="RELOADS")

    # Each name may stand for several replicas, and there may be several names.
    captcha_service_url: Addresses
    sms_service_url: Addresses
    user_service_url: Addresses
    news_service_url: Addresses
    upstream_connect_seconds: float = Field(default=1.0, gt=0, le=10)
    upstream_read_seconds: float = Field(default=30.0, gt=0, le=120)
    # From the first byte of a response to its last; a response that takes longer is cut off.
    upstream_body_seconds: float = Field(default=120.0, gt=0, le=3600)

    # What each worker process keeps of answers that everybody may get; 0: nothing is stored.
    cache_bytes: int = Field(default=32 * 1024 * 1024, ge=0, le=4 * 1024**3)
    # Files of the operator with services and routes beside ours.
    routes_file: Commas[Path] = ()
    # Private keys on P-256 in PEM form: the first signs identity tokens, and the public halves of all are published.
    identity_keys: SecretStr | None = None

    token_issuer: str = "xinjing"
    token_audience: str = "xinjing"
    # Beyond this age of the revocation feed, requests that change something are refused for signed-in users ...
    revocations_stale_seconds: float = Field(default=5.0, gt=0, le=60)
    # ... and beyond this one, their reads too.
    revocations_lost_seconds: float = Field(default=30.0, gt=0, le=600)

    cookies_secure: bool = True
    # The absolute life of a session at user-service; the refresh cookie need not outlive it.
    session_days: int = Field(default=30, ge=1, le=30)
    # Other origins whose pages may use a cookie session, for example https://app.example.com.
    allowed_origins: Commas[Origin] = ()
    # Other origins whose pages may call the API with bearer tokens; or * alone, for all.
    cors_origins: Annotated[Commas[Origin | Literal["*"]], AfterValidator(_check_any_origin)] = ()
    # Where forward authentication leads people who are not signed in: a path of the host that they opened, or more.
    sign_in_url: SignInUrl = "/"
    # Addresses and networks of the proxies in front whose X-Forwarded-For, -Proto, -Host and -Port are believed.
    trusted_proxies: Commas[Network] = ()

    captchas_per_ip_per_minute: PerMinute = 20
    captcha_sounds_per_ip_per_minute: PerMinute = 60  # Each costs 3 ms of a core; some browsers ask twice.
    sms_codes_per_ip_per_minute: PerMinute = 10
    users_per_ip_per_minute: PerMinute = 10
    sessions_per_ip_per_minute: PerMinute = 30
    refreshes_per_ip_per_minute: PerMinute = 60
