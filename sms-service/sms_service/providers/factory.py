"""Makes the providers that the settings choose, and the readers of their receipts."""

from pydantic import SecretStr
from redis import Redis

from sms_service.codes.crypto import CodeKeys
from sms_service.codes.templates import Templates
from sms_service.providers.aliyun import Aliyun, AliyunApi, AliyunKey, AliyunReceipts
from sms_service.providers.aliyun_pnvs import AliyunPnvs
from sms_service.providers.http_client import VendorHttp
from sms_service.providers.inbox import Inbox, InboxProvider
from sms_service.providers.provider import Provider, ProviderUnusable
from sms_service.providers.receipts import ReceiptReader
from sms_service.providers.settings import ProviderName, ProviderSettings, missing_credentials, receipts_address
from sms_service.providers.standard_webhooks import decode_key
from sms_service.providers.tencent import Tencent, TencentApp, TencentKey, TencentReceipts
from sms_service.providers.twilio import Twilio, TwilioReceipts
from sms_service.providers.webhook import Webhook, WebhookReceipts
from sms_service.providers.yuntongxun import Yuntongxun, YuntongxunAccount
from sms_service.settings import Settings


def make_inbox(settings: ProviderSettings, redis: Redis, keys: CodeKeys) -> Inbox:
    """Make the inbox, for the provider that fills it and the route that reads it."""
    return Inbox(redis, keys, most_messages=settings.inbox_messages, ttl_seconds=settings.inbox_ttl_seconds)


def make_templates(settings: ProviderSettings) -> Templates:
    """Read the templates; raises `TemplatesMalformed` where the operator's own cannot be used."""
    return Templates(settings.templates_file, web_otp_domain=settings.web_otp_domain)


def make_provider(name: str, settings: Settings, *, redis: Redis, keys: CodeKeys, templates: Templates) -> Provider:
    """Make one provider of this process, with connections for all threads of the worker.

    Raises:
        ProviderUnusable: variables or template ids are missing; the message names them.
    """
    if missing := missing_credentials(settings, name):
        raise ProviderUnusable(f"{name} needs {', '.join(missing)}")
    if name == ProviderName.INBOX:
        return InboxProvider(make_inbox(settings, redis, keys))
    http = VendorHttp(pool_size=settings.worker_threads)
    match ProviderName(name):
        case ProviderName.YUNTONGXUN:
            return _yuntongxun(settings, http, templates)
        case ProviderName.ALIYUN:
            return _aliyun(settings, http, templates)
        case ProviderName.ALIYUN_PNVS:
            return _aliyun_pnvs(settings, http, templates)
        case ProviderName.TENCENT:
            return _tencent(settings, http, templates)
        case ProviderName.TWILIO:
            return _twilio(settings, http)
        case _:
            return Webhook(url=_unwrap(settings.webhook_url), key=decode_key(_unwrap(settings.webhook_key)), http=http)


def make_receipt_readers(settings: ProviderSettings) -> dict[str, ReceiptReader]:
    """Make a reader for each provider whose credentials are set and whose receipts have a known form."""
    readers: dict[str, ReceiptReader] = {}
    if not missing_credentials(settings, ProviderName.ALIYUN):
        readers[ProviderName.ALIYUN] = AliyunReceipts()
    if not missing_credentials(settings, ProviderName.ALIYUN_PNVS):
        readers[ProviderName.ALIYUN_PNVS] = AliyunReceipts()
    if not missing_credentials(settings, ProviderName.TENCENT):
        readers[ProviderName.TENCENT] = TencentReceipts()
    if not missing_credentials(settings, ProviderName.TWILIO):
        readers[ProviderName.TWILIO] = TwilioReceipts(_unwrap(settings.twilio_auth_token))
    if not missing_credentials(settings, ProviderName.WEBHOOK):
        readers[ProviderName.WEBHOOK] = WebhookReceipts(decode_key(_unwrap(settings.webhook_key)))
    return readers


def _unwrap(value: str | SecretStr | None) -> str:
    """Return the text of a setting that is set, as `missing_credentials` has found."""
    return value.get_secret_value() if isinstance(value, SecretStr) else value or ""


def _yuntongxun(settings: ProviderSettings, http: VendorHttp, templates: Templates) -> Yuntongxun:
    account = YuntongxunAccount(
        sid=_unwrap(settings.yuntongxun_account_sid),
        auth_token=_unwrap(settings.yuntongxun_auth_token),
        app_id=_unwrap(settings.yuntongxun_app_id),
    )
    return Yuntongxun(settings.yuntongxun_url, account, http, templates=templates)


def _aliyun(settings: ProviderSettings, http: VendorHttp, templates: Templates) -> Aliyun:
    key = AliyunKey(_unwrap(settings.aliyun_access_key_id), _unwrap(settings.aliyun_access_key_secret))
    api = AliyunApi(settings.aliyun_url, key, http)
    return Aliyun(api, sign_name=_unwrap(settings.aliyun_sign_name), templates=templates)


def _aliyun_pnvs(settings: ProviderSettings, http: VendorHttp, templates: Templates) -> AliyunPnvs:
    key = AliyunKey(_unwrap(settings.aliyun_pnvs_access_key_id), _unwrap(settings.aliyun_pnvs_access_key_secret))
    api = AliyunApi(settings.aliyun_pnvs_url, key, http)
    return AliyunPnvs(api, sign_name=_unwrap(settings.aliyun_pnvs_sign_name), templates=templates)


def _tencent(settings: ProviderSettings, http: VendorHttp, templates: Templates) -> Tencent:
    key = TencentKey(_unwrap(settings.tencent_secret_id), _unwrap(settings.tencent_secret_key))
    app = TencentApp(
        _unwrap(settings.tencent_sdk_app_id), _unwrap(settings.tencent_sign_name), region=settings.tencent_region
    )
    return Tencent(settings.tencent_url, key, app, http, templates=templates)


def _twilio(settings: ProviderSettings, http: VendorHttp) -> Twilio:
    return Twilio(
        settings.twilio_url,
        http,
        account_sid=_unwrap(settings.twilio_account_sid),
        auth_token=_unwrap(settings.twilio_auth_token),
        sender=_unwrap(settings.twilio_sender),
        receipts_address=receipts_address(settings, ProviderName.TWILIO),
    )
