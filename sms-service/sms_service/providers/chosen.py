"""Makes the providers that the settings choose."""

from redis import Redis

from sms_service.codes.sealing import CodeKeys
from sms_service.providers.inbox import Inbox, InboxProvider
from sms_service.providers.provider import Provider
from sms_service.providers.receipts import ReceiptReader
from sms_service.providers.yuntongxun import Yuntongxun
from sms_service.providers.yuntongxun_signing import YuntongxunAccount
from sms_service.purposes import Purpose
from sms_service.settings import ProviderName, Settings
from sms_service.templates import Language, Templates


def make_inbox(settings: Settings, redis: Redis, keys: CodeKeys) -> Inbox:
    """Make the inbox, for the provider that fills it and the route that reads it."""
    return Inbox(redis, keys, most_messages=settings.inbox_messages, ttl_seconds=settings.inbox_ttl_seconds)


def make_templates(settings: Settings) -> Templates:
    """Read the templates; raises `TemplatesMalformed` where the operator's own cannot be used."""
    return Templates(settings.templates_file, web_otp_domain=settings.web_otp_domain)


def make_provider(name: str, settings: Settings, redis: Redis, keys: CodeKeys, templates: Templates) -> Provider:
    """Make a process's one client of a provider."""
    if name == ProviderName.INBOX:
        return InboxProvider(make_inbox(settings, redis, keys))
    token = settings.yuntongxun_auth_token
    account = YuntongxunAccount(
        sid=settings.yuntongxun_account_sid or "",
        auth_token=token.get_secret_value() if token else "",
        app_id=settings.yuntongxun_app_id or "",
        template_id=templates.id_of(name, Purpose.LOGIN, Language.ZH) or "1",
    )
    return Yuntongxun(settings.yuntongxun_url, account, pool_size=settings.worker_threads)


def make_receipt_readers(_settings: Settings) -> dict[str, ReceiptReader]:
    """Make the readers of all providers whose receipts we know."""
    return {}
