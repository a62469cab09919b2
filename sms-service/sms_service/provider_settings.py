"""What the SMS providers need to run: part of the service's `Settings`."""

import enum
import itertools
import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings

from sms_service.providers.standard_webhooks import read_key

_VISIBLE = re.compile(r"[\x21-\x7e]+")
_PATH_SEGMENT = re.compile(r"[0-9A-Za-z_-]{16,128}")


class ProviderName(enum.StrEnum):
    """The providers that can be chosen."""

    INBOX = "inbox"
    YUNTONGXUN = "yuntongxun"
    ALIYUN = "aliyun"
    TENCENT = "tencent"
    TWILIO = "twilio"
    WEBHOOK = "webhook"


def _none_if_empty(value: object) -> object:
    """An empty variable means "not set", as `${NAME:-}` writes it in a compose file."""
    return value or None


def _visible(value: str) -> str:
    """Credentials of all vendors are visible ASCII; some of them travel in headers, where others cannot stand."""
    if not _VISIBLE.fullmatch(value):
        raise ValueError("must be visible ASCII characters without spaces")
    return value


def _secret_visible(value: SecretStr) -> SecretStr:
    _visible(value.get_secret_value())
    return value


def _address(value: str) -> str:
    parts = urlsplit(value)  # A ValueError of its own names a wrong port or host.
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0 or not _VISIBLE.fullmatch(value):
        raise ValueError("must be an address that begins with http:// or https://")
    return value


def _signing_key(value: SecretStr) -> SecretStr:
    read_key(value.get_secret_value())
    return value


def _path_segment(value: SecretStr) -> SecretStr:
    if not _PATH_SEGMENT.fullmatch(value.get_secret_value()):
        raise ValueError("must be 16 to 128 letters, digits, _ or -")
    return value


_NEEDS = {
    ProviderName.INBOX: (),
    ProviderName.YUNTONGXUN: ("yuntongxun_account_sid", "yuntongxun_auth_token", "yuntongxun_app_id"),
    ProviderName.ALIYUN: ("aliyun_access_key_id", "aliyun_access_key_secret", "aliyun_sign_name"),
    ProviderName.TENCENT: ("tencent_secret_id", "tencent_secret_key", "tencent_sdk_app_id", "tencent_sign_name"),
    ProviderName.TWILIO: ("twilio_account_sid", "twilio_auth_token", "twilio_sender"),
    ProviderName.WEBHOOK: ("webhook_url", "webhook_key"),
}
_Empty = BeforeValidator(_none_if_empty)
_Address = Annotated[str, AfterValidator(_address)]
_OptionalAddress = Annotated[_Address | None, _Empty]
_Text = Annotated[str | None, _Empty]
_Id = Annotated[Annotated[str, AfterValidator(_visible)] | None, _Empty]
_Secret = Annotated[Annotated[SecretStr, AfterValidator(_secret_visible)] | None, _Empty]
_SigningKey = Annotated[Annotated[SecretStr, AfterValidator(_signing_key)] | None, _Empty]
_PathSegment = Annotated[Annotated[SecretStr, AfterValidator(_path_segment)] | None, _Empty]


class ProviderSettings(BaseSettings):
    """The choice of the provider, and what each of them needs. Addresses are the vendors' own unless set."""

    provider: ProviderName = ProviderName.INBOX
    templates_file: Path | None = None  # Texts and template ids in place of templates.toml's.
    # Where the public reaches us, and the last part of the path of receipts, which nobody else must know.
    public_url: _OptionalAddress = None
    receipts_secret: _PathSegment = None

    inbox_messages: int = Field(default=200, ge=1)
    inbox_ttl_seconds: int = Field(default=3600, ge=1)

    yuntongxun_account_sid: _Id = None
    yuntongxun_auth_token: _Secret = None
    yuntongxun_app_id: _Id = None
    yuntongxun_url: _Address = "https://app.cloopen.com:8883"

    aliyun_access_key_id: _Id = None
    aliyun_access_key_secret: _Secret = None
    aliyun_sign_name: _Text = None
    aliyun_url: _Address = "https://dysmsapi.aliyuncs.com"

    tencent_secret_id: _Id = None
    tencent_secret_key: _Secret = None
    tencent_sdk_app_id: _Id = None
    tencent_sign_name: _Text = None
    tencent_region: Annotated[str, AfterValidator(_visible)] = "ap-guangzhou"
    tencent_url: _Address = "https://sms.tencentcloudapi.com"

    twilio_account_sid: _Id = None
    twilio_auth_token: _Secret = None
    twilio_sender: _Text = None  # A number, a name, or a messaging service (MG…).
    twilio_url: _Address = "https://api.twilio.com"

    webhook_url: _OptionalAddress = None
    webhook_key: _SigningKey = None  # 24 bytes or more in base64, with or without whsec_ in front.

    @field_validator(*itertools.chain.from_iterable(_NEEDS.values()))
    @classmethod
    def _is_there_if_needed(cls, value: object, info: ValidationInfo) -> object:
        provider = info.data.get("provider", ProviderName.INBOX)  # Absent if it is malformed itself.
        if value is None and info.field_name in _NEEDS[provider]:
            raise ValueError(f"is needed because SMS_PROVIDER is {provider}")
        return value


def missing_credentials(settings: ProviderSettings, name: str) -> list[str]:
    """Name the variables that a provider needs and that are not set."""
    prefix = settings.model_config.get("env_prefix", "")
    needed = _NEEDS[ProviderName(name)]
    return [f"{prefix}{field}".upper() for field in needed if getattr(settings, field) is None]


def receipts_address(settings: ProviderSettings, name: str) -> str | None:
    """Say where a provider may send its receipts; None without ``public_url`` or ``receipts_secret``."""
    if settings.public_url is None or settings.receipts_secret is None:
        return None
    secret = settings.receipts_secret.get_secret_value()
    return f"{settings.public_url.rstrip('/')}/api/v1/sms/receipts/{name}/{secret}"
