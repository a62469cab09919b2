"""Commands for operators: ``flask --app sms_service.app sms …``."""

from collections.abc import Callable

import click
import svcs
from flask.cli import AppGroup
from redis import Redis

from chassis.errors import DependencyUnavailable
from sms_service.codes.kill_switch import KillSwitch
from sms_service.codes.sms_codes import SmsCodes
from sms_service.commands.dead import dead
from sms_service.commands.limits import describe_age, guesses, kill_switch, pumping
from sms_service.commands.send_test import send_test
from sms_service.queue.factory import make_inspection
from sms_service.queue.interface import InspectionFailed
from sms_service.queue.rabbitmq.topology import TopologyError, apply_topology, check_topology
from sms_service.queue.workers import load_workers
from sms_service.routing.breaker import ProviderHealth, ProviderState
from sms_service.settings import Settings

sms = AppGroup("sms", help="Look after the sending of codes.")
topology = AppGroup("topology", help="The exchanges and queues of RabbitMQ.")
for command in (topology, dead, kill_switch, guesses, pumping, send_test):
    sms.add_command(command)


@sms.command()
def status() -> None:
    """Show the kill switch, the day's budget, the workers, the queues and how the providers are doing."""
    settings, redis, codes = svcs.flask.get(Settings, Redis, SmsCodes)
    try:
        switch, age = KillSwitch(redis).state(), KillSwitch(redis).data_age()
        used = codes.sent_today()
        workers = load_workers(redis)
        depths = make_inspection(settings).depths()
        states = ProviderHealth(redis).load_states(settings.providers)
    except (InspectionFailed, DependencyUnavailable) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"switch    {'kill switch':20} {'off' if switch is None else f'ON: {switch.reason}'}")
    click.echo(f"budget    {'texts today':20} {used} of {settings.sends_per_day}")
    click.echo(f"backlog   {'oldest request':20} {workers.oldest_seconds:.1f} s")
    click.echo(f"workers   {'alive':20} {workers.alive or 'NONE: every request for a code is refused'}")
    click.echo(f"redis     {'holds data':20} {describe_age(age) if age else 'since no worker was ever alive'}")
    for name, depth in depths.items():
        click.echo(f"queue     {name:20} {depth}")
    for name, state in states.items():
        click.echo(f"provider  {name:20} {_describe_provider(state)}")


def _describe_provider(state: ProviderState) -> str:
    line = f"health {state.health:.2f}, {state.in_flight} under way"
    if not state.down_seconds:
        return f"up, {line}"
    return f"down for {state.down_seconds:.0f} s, tried again in {state.retry_seconds:.0f} s, {line}"


@topology.command()
def apply() -> None:
    """Declare exchanges and queues; safe to repeat."""
    _run_on_broker(apply_topology, done="RabbitMQ: the exchanges and queues are declared.")


@topology.command()
def check() -> None:
    """Say whether all exchanges and queues are there."""
    _run_on_broker(check_topology, done="RabbitMQ: the exchanges and queues are there.")


def _run_on_broker(act: Callable[[str], None], *, done: str) -> None:
    urls = svcs.flask.get(Settings).amqp_url
    if urls is None:
        click.echo("The queue is a stream on Redis; it needs no topology.")
        return
    try:
        act(urls.get_secret_value())
    except TopologyError as error:
        raise click.ClickException(str(error)) from error
    click.echo(done)
