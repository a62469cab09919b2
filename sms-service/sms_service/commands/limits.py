"""Commands for operators: stop all texts, end the lockout of a mobile, or an alarm of SMS pumping."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
import svcs
from flask.cli import AppGroup
from redis import Redis

from chassis.errors import DependencyUnavailable, MobileInvalid
from chassis.mobiles import mask_mobile, parse_mobile
from sms_service.codes.kill_switch import DataAge, KillSwitch
from sms_service.codes.sms_codes import SmsCodes

kill_switch = AppGroup("kill-switch", help="Stop all texts at once: requests get 503, and nothing is charged.")
guesses = AppGroup("guesses", help="Wrong codes that were tried.")
pumping = AppGroup("pumping", help="Alarms of SMS pumping: only trusted or fresh numbers and networks get texts.")


@kill_switch.command()
@click.option("--reason", default="", help="Shown by `kill-switch show`.")
def on(reason: str) -> None:
    """Stop all texts until `kill-switch off`."""
    with _click_errors():
        is_on_disk = KillSwitch(svcs.flask.get(Redis)).turn_on(reason)
    click.echo("The kill switch is on: no code is texted.")
    if not is_on_disk:
        click.echo("Redis does not say that it is on disk: look again after a restart of Redis.", err=True)


@kill_switch.command()
def off() -> None:
    """Allow texts again."""
    with _click_errors():
        KillSwitch(svcs.flask.get(Redis)).turn_off()
    click.echo("The kill switch is off.")


@kill_switch.command()
def show() -> None:
    """Say whether texts are stopped, since when and why; and since when Redis would know."""
    switch = KillSwitch(svcs.flask.get(Redis))
    with _click_errors():
        state, age = switch.state(), switch.data_age()
    if state is None:
        click.echo("The kill switch is off.")
    else:
        since, reason = f"{state.since:%Y-%m-%dT%H:%M:%SZ}", state.reason or "no reason given"
        click.echo(f"The kill switch is on since {since}: {reason}")
    if age is not None:
        click.echo(f"Redis holds data {describe_age(age)}.")


def describe_age(age: DataAge) -> str:
    """Say since when Redis holds data."""
    since = f"since {age.since:%Y-%m-%dT%H:%M:%SZ}"
    return f"{since}, when it had LOST ALL that was set before" if age.was_lost else since


@guesses.command()
@click.argument("mobile")
def reset(mobile: str) -> None:
    """Let the codes of MOBILE work again after too many wrong tries."""
    with _click_errors():
        parsed = parse_mobile(mobile)
        had_any = svcs.flask.get(SmsCodes).reset_guesses(parsed)
    result = "wrong tries are forgotten." if had_any else "there were no wrong tries."
    click.echo(f"{mask_mobile(parsed)}: {result}")


@pumping.command("show")
def show_alarms() -> None:
    """Say which countries have an alarm, and since when."""
    with _click_errors():
        alarms = svcs.flask.get(SmsCodes).alarms()
    for country, since in alarms.items():
        click.echo(f"{country}: an alarm since {since:%Y-%m-%dT%H:%M:%SZ}")
    if not alarms:
        click.echo("There is no alarm.")


@pumping.command("end")
@click.argument("country")
def end_alarm(country: str) -> None:
    """End the alarm of COUNTRY (ISO 3166); it begins anew while most codes stay unused."""
    with _click_errors():
        had_one = svcs.flask.get(SmsCodes).end_alarm(country)
    click.echo(f"{country}: {'the alarm is over.' if had_one else 'there was no alarm.'}")


@contextmanager
def _click_errors() -> Iterator[None]:
    try:
        yield
    except (DependencyUnavailable, MobileInvalid) as error:
        raise click.ClickException(str(error)) from error
