"""Commands for operators: ``flask --app sms_service.app sms …``."""

from collections.abc import Callable

import click
from flask.cli import AppGroup
from redis import Redis

from chassis.errors import DependencyUnavailable
from sms_service.codes.kill_switch import KillSwitch
from sms_service.codes.sms_codes import SmsCodes
from sms_service.commands.dead import dead_commands
from sms_service.commands.limits import add_limit_commands
from sms_service.commands.send_test import send_test_command
from sms_service.queue.factory import make_inspection
from sms_service.queue.interface import InspectionFailed
from sms_service.queue.rabbitmq.topology import TopologyError, apply_topology, check_topology
from sms_service.routing.breaker import ProviderHealth, ProviderState
from sms_service.settings import Settings
from sms_service.worker.collector import Backlog


def sms_commands(settings: Settings, redis: Redis, codes: SmsCodes) -> AppGroup:
    """Make the group ``sms``."""
    sms = AppGroup("sms", help="Look after the sending of codes.")
    sms.add_command(_topology_commands(settings))
    sms.add_command(dead_commands(lambda: make_inspection(settings)))
    sms.add_command(send_test_command(settings))
    add_limit_commands(sms, KillSwitch(redis), codes)

    @sms.command()
    def status() -> None:
        """Show the kill switch, the day's budget, the queues and how the providers are doing."""
        try:
            killed = KillSwitch(redis).state()
            used = codes.sent_today()
            oldest_seconds = Backlog(redis, code_ttl_seconds=settings.code_ttl_seconds).oldest_seconds()
            depths = make_inspection(settings).depths()
            states = ProviderHealth(redis).states(settings.providers)
        except (InspectionFailed, DependencyUnavailable) as error:
            raise click.ClickException(str(error)) from error
        click.echo(f"switch    {'kill switch':20} {'off' if killed is None else f'ON: {killed.reason}'}")
        click.echo(f"budget    {'texts today':20} {used} of {settings.sends_per_day}")
        click.echo(f"backlog   {'oldest request':20} {oldest_seconds:.1f} s")
        for name, depth in depths.items():
            click.echo(f"queue     {name:20} {depth}")
        for name, state in states.items():
            click.echo(f"provider  {name:20} {_told(state)}")

    return sms


def _told(state: ProviderState) -> str:
    line = f"health {state.health:.2f}, {state.under_way} under way"
    if not state.down_seconds:
        return f"up, {line}"
    return f"down for {state.down_seconds:.0f} s, tried again in {state.rest_seconds:.0f} s, {line}"


def _topology_commands(settings: Settings) -> AppGroup:
    topology = AppGroup("topology", help="The exchanges and queues of RabbitMQ.")

    @topology.command()
    def apply() -> None:
        """Declare exchanges and queues; safe to repeat."""
        _run(settings, apply_topology, done="RabbitMQ: the exchanges and queues are declared.")

    @topology.command()
    def check() -> None:
        """Say whether all exchanges and queues are there."""
        _run(settings, check_topology, done="RabbitMQ: the exchanges and queues are there.")

    return topology


def _run(settings: Settings, act: Callable[[str], None], *, done: str) -> None:
    if settings.amqp_url is None:
        click.echo("The queue is a stream on Redis; it needs no topology.")
        return
    try:
        act(settings.amqp_url.get_secret_value())
    except TopologyError as error:
        raise click.ClickException(str(error)) from error
    click.echo(done)
