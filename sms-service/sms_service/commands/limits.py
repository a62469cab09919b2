"""Commands for operators who stop all texts, or let a mobile try codes again."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask.cli import AppGroup

from chassis.errors import DependencyUnavailable, MobileInvalid
from chassis.mobiles import mask_mobile, parse_mobile
from sms_service.codes.kill_switch import KillSwitch
from sms_service.codes.sms_codes import SmsCodes


def add_limit_commands(sms: AppGroup, switch: KillSwitch, codes: SmsCodes) -> None:
    """Add ``kill-switch on|off|show`` and ``guesses reset`` to the group ``sms``."""
    sms.add_command(_kill_switch(switch))
    sms.add_command(_guesses(codes))


def _kill_switch(switch: KillSwitch) -> AppGroup:
    group = AppGroup("kill-switch", help="Stop all texts at once: requests get 503, and nothing is charged.")

    @group.command()
    @click.option("--reason", default="", help="Shown by `kill-switch show`.")
    def on(reason: str) -> None:
        """Stop all texts until `kill-switch off`."""
        with _told():
            switch.on(reason)
        click.echo("The kill switch is on: no code is texted.")

    @group.command()
    def off() -> None:
        """Let texts go again."""
        with _told():
            switch.off()
        click.echo("The kill switch is off.")

    @group.command()
    def show() -> None:
        """Say whether texts are stopped, since when and why."""
        with _told():
            killed = switch.state()
        if killed is None:
            click.echo("The kill switch is off.")
        else:
            click.echo(
                f"The kill switch is on since {killed.since:%Y-%m-%dT%H:%M:%SZ}: {killed.reason or 'no reason given'}"
            )

    return group


def _guesses(codes: SmsCodes) -> AppGroup:
    group = AppGroup("guesses", help="Wrong codes that were tried.")

    @group.command()
    @click.argument("mobile")
    def reset(mobile: str) -> None:
        """Let the codes of MOBILE work again after too many wrong tries."""
        with _told():
            parsed = parse_mobile(mobile)
            had_any = codes.forget_guesses(parsed)
        click.echo(
            f"{mask_mobile(parsed)}: " + ("wrong tries are forgotten." if had_any else "there were no wrong tries.")
        )

    return group


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (DependencyUnavailable, MobileInvalid) as error:
        raise click.ClickException(str(error)) from error
