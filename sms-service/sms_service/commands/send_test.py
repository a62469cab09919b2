"""``flask --app sms_service.app sms send-test MOBILE``: one real text through one provider, without the queue.

It must run where a worker runs: on the compose stack only the workers reach the vendors.
"""

import uuid

import click
import svcs
from flask.cli import with_appcontext
from redis import Redis

from chassis.errors import MobileInvalid
from chassis.mobiles import Mobile, mask_mobile, parse_mobile
from sms_service.codes.crypto import CodeKeys
from sms_service.codes.purposes import Language, Purpose
from sms_service.codes.templates import Templates
from sms_service.providers.factory import make_provider, make_templates
from sms_service.providers.provider import Outcome, OutgoingSms
from sms_service.settings import Settings

_CODE = "000000"  # Never valid: no code is reserved for it.
_NOT_REACHED = """
The provider cannot be reached from here. Run this where a worker runs; only workers reach the providers:
  docker compose exec sms-worker flask --app sms_service.app sms send-test MOBILE"""


@click.command("send-test")
@click.argument("mobile")
@click.option("--provider", help="One of SMS_ROUTES; the first one of them unless it is named.")
@click.option("--purpose", type=click.Choice([*Purpose]), default=Purpose.LOGIN, show_default=True)
@click.option("--language", type=click.Choice([*Language]), default=Language.ZH, show_default=True)
@with_appcontext
def send_test(mobile: str, provider: str | None, purpose: str, language: str) -> None:
    """Text the code 000000, which opens nothing, to MOBILE; it costs what a text costs. Run it where a worker runs."""
    settings, redis = svcs.flask.get(Settings, Redis)
    name = provider or settings.providers[0]
    if name not in settings.providers:
        raise click.BadParameter(f"SMS_ROUTES names {', '.join(settings.providers)}.", param_hint="--provider")
    try:
        number = parse_mobile(mobile)
    except MobileInvalid as error:
        raise click.ClickException(error.detail) from error
    templates = make_templates(settings)
    sms = _write_sms(number, Purpose(purpose), Language(language), templates, ttl_seconds=settings.code_ttl_seconds)
    keys = CodeKeys(settings.code_key.get_secret_value())
    client = make_provider(name, settings, redis=redis, keys=keys, templates=templates)
    answer = client.send_text(sms)
    client.close_connections()
    line = f"{name} to {mask_mobile(number)}: {answer.outcome} {answer.code} {answer.message_id}".rstrip()
    if answer.outcome is not Outcome.ACCEPTED:
        raise click.ClickException(line + (_NOT_REACHED if answer.outcome is Outcome.NOT_SENT else ""))
    click.echo(line)


def _write_sms(
    mobile: Mobile, purpose: Purpose, language: Language, templates: Templates, *, ttl_seconds: int
) -> OutgoingSms:
    minutes = ttl_seconds // 60
    text = templates.code_text(purpose, language, code=_CODE, valid_minutes=minutes)
    return OutgoingSms(
        uuid.uuid4().hex, mobile, purpose, language,
        code=_CODE, valid_minutes=minutes, text=text, left_seconds=ttl_seconds,
    )  # fmt: skip
