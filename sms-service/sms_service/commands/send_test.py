"""``flask --app sms_service.app sms send-test MOBILE``: one real text through one provider, past the queue."""

import uuid

import click

from chassis.errors import MobileInvalid
from chassis.mobiles import mask_mobile, parse_mobile
from chassis.redis_client import connect_redis
from sms_service.codes.crypto import CodeKeys
from sms_service.codes.purposes import Purpose
from sms_service.codes.templates import Language
from sms_service.providers.factory import make_provider, make_templates
from sms_service.providers.provider import Outcome, OutgoingSms
from sms_service.settings import Settings

_CODE = "000000"  # Opens nothing: no code is reserved for it.


def send_test_command(settings: Settings) -> click.Command:
    """Make the command."""

    @click.command("send-test")
    @click.argument("mobile")
    @click.option("--provider", type=click.Choice(settings.providers), default=settings.providers[0], show_default=True)
    @click.option("--purpose", type=click.Choice([*Purpose]), default=Purpose.LOGIN, show_default=True)
    @click.option("--language", type=click.Choice([*Language]), default=Language.ZH, show_default=True)
    def send_test(mobile: str, provider: str, purpose: str, language: str) -> None:
        """Text the code 000000, which opens nothing, to MOBILE; it costs what a text costs."""
        redis, keys = connect_redis(settings.redis_url), CodeKeys(settings.code_key.get_secret_value())
        templates, minutes = make_templates(settings), settings.code_ttl_seconds // 60
        try:
            number = parse_mobile(mobile)
        except MobileInvalid as error:
            raise click.ClickException(error.detail) from error
        sms = OutgoingSms(
            uuid.uuid4().hex,
            number,
            Purpose(purpose),
            Language(language),
            code=_CODE,
            valid_minutes=minutes,
            text=templates.text(Purpose(purpose), Language(language), code=_CODE, valid_minutes=minutes),
            left_seconds=settings.code_ttl_seconds,
        )
        client = make_provider(provider, settings, redis, keys, templates)
        answer = client.send(sms)
        client.close()
        line = f"{provider} to {mask_mobile(number)}: {answer.outcome} {answer.code} {answer.message_id}".rstrip()
        if answer.outcome is not Outcome.ACCEPTED:
            raise click.ClickException(line)
        click.echo(line)

    return send_test
