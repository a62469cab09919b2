"""The settings of routes and providers: part of the service's `Settings`."""

import enum
import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode

from sms_service.providers.standard_webhooks import decode_key
from sms_service.routing.routes import EVERYWHERE, Pace, Routes, parse_paces, parse_routes

_VISIBLE = re.compile(r"[\x21-\x7e]+")
_PATH_SEGMENT = re.compile(r"[0-9A-Za-z_-]{16,128}")


class ProviderName(enum.StrEnum):
    """The providers that can be chosen."""

    INBOX = "inbox"
    YUNTONGXUN = "yuntongxun"
    ALIYUN = "aliyun"
    ALIYUN_PNVS = "aliyun_pnvs"
    TENCENT = "tencent"
    TWILIO = "twilio"
    WEBHOOK = "webhook"


def _check_visible(value: str) -> str:
    """Credentials of all vendors are visible ASCII; some are sent in headers, which take no other characters."""
    if not _VISIBLE.fullmatch(value):
        raise ValueError("must be visible ASCII characters without spaces")
    return value


def _check_visible_secret(value: SecretStr) -> SecretStr:
    _check_visible(value.get_secret_value())
    return value


def _check_address(value: str) -> str:
    parts = urlsplit(value)  # A ValueError of its own names a wrong port or host.
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0 or not _VISIBLE.fullmatch(value):
        raise ValueError("must be an address that begins with http:// or https://")
    return value


def _check_signing_key(value: SecretStr) -> SecretStr:
    decode_key(value.get_secret_value())
    return value


def _check_path_segment(value: SecretStr) -> SecretStr:
    if not _PATH_SEGMENT.fullmatch(value.get_secret_value()):
        raise ValueError("must be 16 to 128 letters, digits, _ or -")
    return value


def _parsed_by(parse: Callable[[str], object]) -> Callable[[object], object]:
    return lambda value: parse(value) if isinstance(value, str) else value


def _check_providers(routes: Routes) -> Routes:
    names = _providers_of(routes)
    if unknown := names - set(ProviderName):
        raise ValueError(f"there is no provider {', '.join(sorted(unknown))}")
    if ProviderName.INBOX in names and len(names) > 1:
        raise ValueError("the inbox sends nothing, so it stands alone")
    if any(ProviderName.ALIYUN_PNVS in shares for country, shares in routes.items() if country != "CN"):
        raise ValueError("aliyun_pnvs texts mainland China alone: CN=aliyun_pnvs")
    return routes


def _providers_of(routes: Routes) -> set[str]:
    return {name for shares in routes.values() for name in shares}


_NEEDS = {
    ProviderName.INBOX: (),
    ProviderName.YUNTONGXUN: ("yuntongxun_account_sid", "yuntongxun_auth_token", "yuntongxun_app_id"),
    ProviderName.ALIYUN: ("aliyun_access_key_id", "aliyun_access_key_secret", "aliyun_sign_name"),
    ProviderName.ALIYUN_PNVS: (
        "aliyun_pnvs_access_key_id",
        "aliyun_pnvs_access_key_secret",
        "aliyun_pnvs_sign_name",
    ),
    ProviderName.TENCENT: ("tencent_secret_id", "tencent_secret_key", "tencent_sdk_app_id", "tencent_sign_name"),
    ProviderName.TWILIO: ("twilio_account_sid", "twilio_auth_token", "twilio_sender"),
    ProviderName.WEBHOOK: ("webhook_url", "webhook_key"),
}
# pydantic-settings ignores an empty variable, but not an empty file of a secret; that means "not set" too.
EMPTY_IS_NONE = BeforeValidator(lambda value: value or None)
_Address = Annotated[str, AfterValidator(_check_address)]
_Id = Annotated[str, AfterValidator(_check_visible)]
_Secret = Annotated[Annotated[SecretStr, AfterValidator(_check_visible_secret)] | None, EMPTY_IS_NONE]
_SigningKey = Annotated[Annotated[SecretStr, AfterValidator(_check_signing_key)] | None, EMPTY_IS_NONE]
_PathSegment = Annotated[Annotated[SecretStr, AfterValidator(_check_path_segment)] | None, EMPTY_IS_NONE]

_Routes = Annotated[Routes, NoDecode, BeforeValidator(_parsed_by(parse_routes)), AfterValidator(_check_providers)]
_Paces = Annotated[dict[str, Pace], NoDecode, BeforeValidator(_parsed_by(parse_paces))]
_Domain = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+$")]


class ProviderSettings(BaseSettings):
    """The choice of the providers, and what each of them needs. Addresses are the vendors' own unless set."""

    # The providers of each country, with weights: CN=yuntongxun:3,aliyun:1; *=twilio. The inbox stands alone.
    routes: _Routes = {EVERYWHERE: {ProviderName.INBOX: 1}}
    # How fast all workers together send to a provider that has no pace of its own: twilio=10:16 (a second, parallel).
    provider_sends_per_second: int = Field(default=100, ge=1)
    provider_parallel_sends: int = Field(default=64, ge=1)
    provider_paces: _Paces = {}
    templates_file: Path | None = None  # Texts and template ids in place of templates.toml's.
    # With a domain each text ends in the line by which browsers fill the code in for that site alone.
    web_otp_domain: _Domain | None = None
    # Our public address, and the last part of the path of receipts, which only the vendors may know.
    public_url: _Address | None = None
    receipts_secret: _PathSegment = None

    inbox_messages: int = Field(default=200, ge=1)
    inbox_ttl_seconds: int = Field(default=3600, ge=1)

    yuntongxun_account_sid: _Id | None = None
    yuntongxun_auth_token: _Secret = None
    yuntongxun_app_id: _Id | None = None
    yuntongxun_url: _Address = "https://app.cloopen.com:8883"

    aliyun_access_key_id: _Id | None = None
    aliyun_access_key_secret: _Secret = None
    aliyun_sign_name: str | None = None
    aliyun_url: _Address = "https://dysmsapi.aliyuncs.com"

    aliyun_pnvs_access_key_id: _Id | None = None
    aliyun_pnvs_access_key_secret: _Secret = None
    aliyun_pnvs_sign_name: str | None = None  # One that the vendor lends, in its console.
    aliyun_pnvs_url: _Address = "https://dypnsapi.aliyuncs.com"

    tencent_secret_id: _Id | None = None
    tencent_secret_key: _Secret = None
    tencent_sdk_app_id: _Id | None = None
    tencent_sign_name: str | None = None
    tencent_region: Annotated[str, AfterValidator(_check_visible)] = "ap-guangzhou"
    tencent_url: _Address = "https://sms.tencentcloudapi.com"

    twilio_account_sid: _Id | None = None
    twilio_auth_token: _Secret = None
    twilio_sender: str | None = None  # A number, a name, or a messaging service (MG…).
    twilio_url: _Address = "https://api.twilio.com"

    webhook_url: _Address | None = None
    webhook_key: _SigningKey = None  # 24 bytes or more in base64, with or without whsec_ in front.

    @field_validator(*itertools.chain.from_iterable(_NEEDS.values()))
    @classmethod
    def _is_there_if_needed(cls, value: object, info: ValidationInfo) -> object:
        for provider in _providers_of(info.data.get("routes", {})):  # Absent if they are malformed themselves.
            if value is None and info.field_name in _NEEDS[ProviderName(provider)]:
                raise ValueError(f"is needed because SMS_ROUTES names {provider}")
        return value

    @property
    def providers(self) -> list[str]:
        """The providers of all routes, each once."""
        return sorted(_providers_of(self.routes))

    @property
    def has_inbox(self) -> bool:
        """Say whether texts are kept for the inbox page instead of being sent."""
        return self.providers == [ProviderName.INBOX]


def missing_credentials(settings: ProviderSettings, name: str) -> list[str]:
    """Name the variables that a provider needs and that are not set."""
    prefix = settings.model_config.get("env_prefix", "")
    needed = _NEEDS[ProviderName(name)]
    return [f"{prefix}{field}".upper() for field in needed if getattr(settings, field) is None]


def receipts_address(settings: ProviderSettings, name: str) -> str | None:
    """Return where a provider may send its receipts; None without ``public_url`` or ``receipts_secret``."""
    if settings.public_url is None or settings.receipts_secret is None:
        return None
    secret = settings.receipts_secret.get_secret_value()
    return f"{settings.public_url.rstrip('/')}/api/v1/sms/receipts/{name}/{secret}"
